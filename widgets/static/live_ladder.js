// Ladder: ten levels a side with sizes and what traded at each price today, imbalance as a bar.
import { fixed, hosted, make, put, rows, signed } from "./panel.js";

const LEVELS = 10, LEAST = 3, ROW_PX = 17, HEAD_PX = 44;

// On a low screen fewer levels of both sides, never all of one and none of the other.
const fitting = (el) => Math.max(LEAST, Math.min(LEVELS, Math.floor(((el.clientHeight || Infinity) - HEAD_PX) / (2 * ROW_PX))));

function cells() {
  const row = make("tr");
  for (const name of ["traded", "bid", "price", "ask"]) {
    const cell = make("td", name);
    if (name === "bid" || name === "ask") cell.append(make("i"));
    cell.append(make("span"));
    row.append(cell);
  }
  return row;
}

function fill(row, values, most, kind) {
  row.className = kind;
  for (const [name, value] of Object.entries(values)) {
    const cell = row.querySelector(`.${name}`);
    put(cell.querySelector("span"), value ? String(value) : ""); // nothing rests there: a column of zeros hides what does
    const bar = cell.querySelector("i");
    if (bar) bar.style.width = `${value ? Math.min(100, (Number(value) / most) * 100) : 0}%`;
  }
}

export function create(el) {
  const root = make("div", "mia-ladder");
  const obi = make("div", "mia-obi");
  const fillBar = make("i");
  obi.append(make("label", "", "OBI"), make("span"), make("b"));
  obi.querySelector("span").append(fillBar);
  obi.title = "order book imbalance over five levels, −1 all offered, +1 all bid";
  const table = make("table"), head = make("thead"), body = make("tbody");
  head.innerHTML = "<tr><th title='contracts traded at this price today'>traded</th><th>bid</th><th>price</th><th>ask</th></tr>";
  table.append(head, body);
  const note = make("p", "mia-note");
  root.append(obi, table, note);
  el.append(root);
  return {
    update(frame) {
      const ladder = frame && frame.ladder, n = ladder ? ladder.bid.length : 0;
      put(note, n || !frame ? "" : frame.ts_event ? "No order book in this source." : "No book yet.");
      table.hidden = !n;
      const value = frame && frame.book ? frame.book.obi : null;
      put(obi.querySelector("b"), signed(value), value > 0 ? "buy" : value < 0 ? "sell" : "flat");
      fillBar.style.width = `${Math.abs(value || 0) * 50}%`;
      fillBar.style.left = value < 0 ? `${50 - Math.abs(value) * 50}%` : "50%";
      fillBar.dataset.kind = value < 0 ? "sell" : "buy";
      if (!n) return;
      const shown = Math.min(fitting(el), n), profile = frame.profile, lowest = profile.price.length ? profile.price[0] : 0;
      const traded = (price) => {
        const at = Math.round((price - lowest) / 0.25);
        return profile.price.length && at >= 0 && at < profile.volume.length ? profile.volume[at] : null;
      };
      const most = Math.max(1, ...ladder.bid_size, ...ladder.ask_size), last = frame.price.last;
      const lines = rows(body, 2 * shown, cells);
      for (let i = 0; i < shown; i++) {
        const ask = lines[shown - 1 - i], bid = lines[shown + i], pa = ladder.ask[i], pb = ladder.bid[i];
        fill(ask, { traded: traded(pa), bid: null, price: pa.toFixed(2), ask: ladder.ask_size[i] }, most, pa === last ? "ask last" : "ask");
        fill(bid, { traded: traded(pb), bid: ladder.bid_size[i], price: pb.toFixed(2), ask: null }, most, pb === last ? "bid last" : "bid");
      }
    },
    close() { root.remove(); },
  };
}

export default hosted("ladder", create);
