// Account: position, where its protection rests, open orders, the day's result, limits used, closed positions.
import { clockOf, fixed, held, hosted, isSimulated, make, put, rows, signed, stopKind, words } from "./panel.js";

const UNITS = { usd: "USD", contracts: "ct", count: "", percent: "%", ticks: "ticks", minutes: "min", ms: "ms", ratio: "", flag: "" };
const USED = new Set(["daily_loss", "hard_daily_loss", "weekly_loss", "drawdown", "open_risk", "max_position",
  "trades_per_hour", "trades_per_day", "consecutive_losses", "orders_per_hour"]);

// Names short enough for half a column of a laptop's screen; the pointer tells the whole one.
const SHORT = { daily_loss: "day loss", hard_daily_loss: "hard day loss", weekly_loss: "week loss", max_position: "position",
  trades_per_hour: "trades/h", trades_per_day: "trades/day", consecutive_losses: "lost in a row", orders_per_hour: "orders/h" };

function limit() {
  const row = make("li");
  row.append(make("span", "name"), make("span", "track"), make("span", "number"));
  row.querySelector(".track").append(make("i"));
  return row;
}

function plain(names) {
  return () => {
    const row = make("tr");
    for (const name of names) row.append(make("td", name));
    return row;
  };
}

export function create(el) {
  const root = make("div", "mia-account"), top = make("div", "mia-position");
  for (const name of ["position", "day", "open", "protection"]) top.append(make("span", name));
  const orders = make("table", "mia-orders"), limits = make("ol", "mia-limits"), trips = make("table", "mia-trips");
  orders.append(make("tbody"));
  trips.append(make("tbody"));
  root.append(top, orders, limits, trips);
  el.append(root);
  return {
    update(frame, state = {}) {
      if (!frame) return;
      const money = frame.money, said = state.guardian;
      const position = money.position;
      put(top.querySelector(".position"), position === 0 ? "FLAT" : `${held(position, money.symbols.join(" + "))} at ${fixed(money.average)}`,
        position > 0 ? "buy" : position < 0 ? "sell" : "flat");
      put(top.querySelector(".day"), `day ${signed(money.day_net_usd)} USD`);
      top.querySelector(".day").title = "realised and open since the trading day began, net of fees";
      put(top.querySelector(".open"), position ? `open ${signed(money.open_gross_usd)} USD` : "");
      const safe = !said || isSimulated(said) ? null : said.protective_stop;
      put(top.querySelector(".protection"), safe === null ? "" : `stop: ${safe}`, stopKind(safe));
      drawOrders(orders.tBodies[0], frame.orders);
      drawLimits(limits, frame.limits.filter((l) => USED.has(l.code)));
      drawTrips(trips.tBodies[0], frame.trips);
    },
    close() { root.remove(); },
  };
}

function drawOrders(body, orders) {
  const lines = rows(body, orders.length, plain(["side", "qty", "entry", "stop", "target", "safe"]));
  orders.forEach((o, i) => {
    const cell = (name) => lines[i].querySelector(`.${name}`);
    put(cell("side"), o.side > 0 ? "LONG" : "SHORT", o.side > 0 ? "buy" : "sell");
    put(cell("qty"), `${o.filled}/${o.qty} ${o.symbol}`);
    put(cell("entry"), words(o.entry));
    put(cell("stop"), `stop ${fixed(o.stop)}`);
    put(cell("target"), `target ${fixed(o.target)}`);
    cell("safe").title = "contracts with a working stop, of those that are open";
    put(cell("safe"), o.open ? `${o.protected} of ${o.open} safe` : "", o.open && o.protected < o.open ? "alarm" : "fine");
  });
}

function share(l) {
  if (l.limit === null || l.actual === null || l.limit === 0) return null;
  return Math.max(0, l.actual / l.limit);
}

function drawLimits(list, limits) {
  const lines = rows(list, limits.length, limit);
  list.style.setProperty("--half", String(Math.max(1, Math.ceil(limits.length / 2))));
  limits.forEach((l, i) => {
    const row = lines[i], used = share(l), unit = UNITS[l.unit] ?? l.unit;
    put(row.querySelector(".name"), SHORT[l.code] || words(l.code));
    row.title = `${words(l.code)}, as found at the last decision`;
    const digits = l.unit === "percent" ? 2 : l.unit === "contracts" && l.actual % 1 ? 1 : 0;  // MES is a tenth
    const say = l.limit < 0 ? signed : fixed;  // of a loss limit the sign matters
    put(row.querySelector(".number"), `${say(l.actual, digits)} of ${fixed(l.limit, 0)} ${unit}`);
    row.querySelector("i").style.width = `${Math.min(1, used || 0) * 100}%`;
    row.dataset.level = l.level;
  });
}

function drawTrips(body, trips) {
  const n = trips && trips.exit_ts ? trips.exit_ts.length : 0, shown = Math.min(8, n);
  const lines = rows(body, shown, plain(["time", "side", "prices", "net", "reason"]));
  for (let k = 0; k < shown; k++) {
    const i = n - 1 - k, cell = (name) => lines[k].querySelector(`.${name}`);
    put(cell("time"), clockOf(trips.exit_ts[i] * 1e6).slice(0, 5));
    put(cell("side"), held(trips.side[i] * trips.qty[i], trips.symbol[i]), trips.side[i] > 0 ? "buy" : "sell");
    put(cell("prices"), `${fixed(trips.entry[i])}→${fixed(trips.exit[i])}`);
    put(cell("net"), `${signed(trips.net_usd[i])} USD`);
    put(cell("reason"), words(trips.reason[i]));
    lines[k].title = `closed at ${clockOf(trips.exit_ts[i] * 1e6)}: ${words(trips.reason[i])}`;
  }
}

export default hosted("account", create);
