// The monitor page: the console, then equity of the day, alerts, processes and the event log.
import { createConsole } from "./console.js";
import { create as model } from "./live_model.js";
import { colours } from "./draw.js";
import { canvasPanel, clockOf, fixed, make, put, rows, signed } from "./panel.js";

const READ_MS = 1000;
const desk = createConsole(document.getElementById("desk"), { global: true });
const side = document.getElementById("machine");
side.className = "mia-live";

function box(name, title) {
  const node = make("section", "mia-panel");
  node.dataset.panel = name;
  node.setAttribute("aria-label", title);
  const body = make("div", "mia-body");
  node.append(make("h2", "", title), body);
  side.append(node);
  return body;
}

function drawEquity(pen, frame) {
  const past = frame.history, { theme, c } = pen;
  if (!past || past.ts.length < 2) { pen.empty("no decision yet"); return null; }
  const known = [...past.day_net].filter(Number.isFinite);
  if (!known.length) { pen.empty("the day's result is unknown"); return null; }
  const low = Math.min(0, ...known), high = Math.max(0, ...known), pad = Math.max(5, (high - low) * 0.1);
  pen.box.top = 8;
  pen.frame([past.ts[0], past.ts[past.ts.length - 1]], low - pad, high + pad);
  pen.axes((x) => x.toFixed(0));
  for (let i = 0; i + 1 < past.ts.length; i++) {
    if (!past.position[i]) continue;
    c.fillStyle = past.position[i] > 0 ? theme.buy : theme.sell;
    c.fillRect(pen.x(past.ts[i]), pen.box.bottom - 5, Math.max(1, pen.x(past.ts[i + 1]) - pen.x(past.ts[i])), 4);
  }
  pen.path(past.ts, past.day_net, theme.text, { width: 1.5 });
  const at = pen.crosshair((x) => x.toFixed(0));
  return at === null ? null : "result of the day in USD, net; the strip below is the position";
}

const equity = canvasPanel(box("equity", "Equity of the day"), drawEquity, desk.ui);
const alerts = box("alerts", "Alerts"), machine = box("processes", "Machine and processes");
const pace = latencyPanel(box("latency", "Latency: arrival to decision")), judge = model(box("model", "Model"), desk.ui);
const log = box("log", "Events"), watched = make("p", "mia-note"), list = make("ol", "mia-alerts");
alerts.append(watched, list);
const figures = make("p", "mia-figures"), table = make("table", "mia-processes");
table.innerHTML = "<thead><tr><th>process</th><th>pid</th><th>CPU %</th><th>memory MB</th><th>threads</th></tr></thead><tbody></tbody>";
machine.append(figures, table);
const events = make("ol", "mia-events");
log.append(events);

// Bars of how many decisions took how long, on the bins of the frame; the words beside it are the percentiles.
function latencyPanel(el) {
  const words = make("p", "mia-figures"), place = make("div", "mia-picture");
  el.append(words, place);
  const canvas = canvasPanel(place, (pen, frame) => {
    const spent = frame.health && frame.health.latency;
    if (!spent) { pen.empty("no decision yet"); return null; }
    const { c, theme } = pen, n = spent.counts.length, most = Math.max(...spent.counts), wide = pen.width / n;
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "center";
    spent.counts.forEach((count, i) => {
      const high = count ? Math.max(1, (count / most) * (pen.height - 28)) : 0;
      c.fillStyle = theme.muted;
      c.fillRect(i * wide + 2, pen.height - 16 - high, wide - 4, high);
      c.fillStyle = theme.text;
      c.fillText(i < n - 1 ? `<${spent.edges_ms[i]}` : `≥${spent.edges_ms[n - 2]}`, (i + 0.5) * wide, pen.height - 4);
    });
    return `${spent.n} newest decisions by milliseconds from arrival`;
  }, desk.ui);
  return (frame, state) => {
    const h = frame && frame.health, spent = h && h.latency;
    put(words, spent ? `median ${fixed(spent.p50_ms, 2)} ms  ·  95 % ${fixed(spent.p95_ms, 2)}  ·  99 % ${fixed(spent.p99_ms, 2)}  ·  most ${fixed(spent.most_ms, 1)}  ·  feed ${fixed(h.feed_latency_ms, 1)} ms  ·  ${h.rows_waiting} rows wait  ·  longest frame ${fixed(h.longest_frame_ms, 1)} ms` : "No decision has been timed yet.");
    canvas.update(frame, state);
  };
}

// What the watch holds; without a watch what the guardian itself reports.
function alertsOf(found) {
  const said = desk.link.guardian();
  if (found.watched) return found.alerts.map((a) => ({ ...a, ts: a.last_ns, done: Boolean(a.acknowledged_by), seen: () => desk.link.post("seen", { key: a.key }) }));
  return (said ? said.alerts : []).map((a) => ({ ...a, key: a.code, done: a.acknowledged, waits: false, seen: () => desk.link.command("acknowledge", { alert_id: a.alert_id }) }));
}

function showAlerts(found) {
  const all = alertsOf(found);
  put(watched, found.watched ? (all.length ? "" : "Watched. No alert.") : "No alert watch runs: `mia alerts watch`. What follows is the guardian's own.");
  const items = rows(list, all.length, () => {
    const item = make("li"), seen = make("button", "", "seen");
    seen.type = "button";
    item.append(make("span", "time"), make("span", "text"), seen);
    return item;
  });
  all.forEach((alert, i) => {
    const item = items[i], seen = item.querySelector("button");
    item.dataset.level = alert.level;
    put(item.querySelector(".time"), clockOf(alert.ts));
    put(item.querySelector(".text"), `${alert.title || alert.key}: ${alert.text}${alert.waits ? " · WAITS to be seen" : ""}`);
    seen.hidden = alert.done;
    seen.onclick = alert.seen;
  });
}

async function read() {
  if (document.hidden) return;
  try {
    const [system, happened, found] = await Promise.all(["system", "events", "alerts"].map((name) => desk.link.read(name)));
    showAlerts(found);
    put(figures, `CPU ${fixed(system.cpu_percent, 0)} %  ·  memory ${fixed(system.memory_used_percent, 0)} %  ·  disk free ${fixed(system.disk_free_mb / 1024, 1)} GB  ·  network ${fixed(system.network_received_mb, 0)} MB in, ${fixed(system.network_sent_mb, 0)} MB out`);
    const lines = rows(table.tBodies[0], system.processes.length, () => {
      const row = make("tr");
      for (let i = 0; i < 5; i++) row.append(make("td"));
      return row;
    });
    system.processes.forEach((p, i) => [p.name, p.pid, fixed(p.cpu_percent, 0), fixed(p.memory_mb, 0), p.threads]
      .forEach((value, k) => put(lines[i].children[k], String(value))));
    const shown = happened.slice(-60).reverse();
    const items = rows(events, shown.length, () => {
      const item = make("li");
      item.append(make("span", "time"), make("span", "source"), make("span", "text"));
      return item;
    });
    shown.forEach((event, i) => {
      items[i].dataset.level = event.level;
      put(items[i].querySelector(".time"), clockOf(event.ts));
      put(items[i].querySelector(".source"), event.source);
      put(items[i].querySelector(".text"), event.text);
    });
  } catch (error) {
    put(figures, `The desk server does not answer: ${error.message}`);
  }
}

// The machine's part follows the console's theme and palette: its words stand on the same surface.
function dress() {
  side.dataset.theme = colours().dark ? "dark" : "light";
  document.documentElement.dataset.theme = side.dataset.theme;
  equity.redraw();
}

desk.link.on(() => {
  const frame = desk.link.frame;
  const state = { stale: Boolean(frame && frame.live && desk.link.frameAge() > 2000) };
  equity.update(frame, state);
  pace(frame, state);
  judge.update(frame, state);
});
setInterval(() => { dress(); read(); }, READ_MS);
dress();
read();
window.miaDesk = desk;
export { signed };
