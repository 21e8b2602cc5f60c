// The console: strip, panels, sheets and keys around one link. The monitor page and the notebook show the same one.
import { armSheet, haltSheet, keySheet } from "./arming.js";
import { colours } from "./draw.js";
import { Link, STALE_MS, deskBase } from "./link.js";
import { create as account } from "./live_account.js";
import { create as battle } from "./live_battle.js";
import { create as decision } from "./live_decision.js";
import { create as delta } from "./live_delta.js";
import { create as depth } from "./live_depth.js";
import { create as ladder } from "./live_ladder.js";
import { create as mentor } from "./live_mentor.js";
import { create as price } from "./live_price.js";
import { create as signals } from "./live_signals.js";
import { clockOf, fixed, make, put, signed, stampOf } from "./panel.js";
import { createStrip } from "./strip.js";

const PANELS = [
  ["price", "Price", price], ["depth", "Depth", depth], ["delta", "Footprint and delta", delta],
  ["ladder", "Ladder", ladder], ["battle", "Battle Navale", battle], ["decision", "Decision", decision],
  ["signals", "Signals", signals], ["account", "Position, orders, limits", account],
  ["mentor", "Mentor", mentor],
];
const LOWER = ["depth", "delta"];
const COLUMNS = [["market", ["price", ...LOWER]], ["book", ["ladder", "battle"]], ["mind", ["decision", "signals", "account", "mentor"]]];
const TIMEFRAMES = ["1m", "5m", "15m", "1h", "4h"];
const WIDTHS = [["wide", 1360], ["medium", 1000], ["narrow", 0]];
const DOUBLE_MS = 700, REMEMBER = "mia-folded";

function remembered() {
  try { return new Set(JSON.parse(localStorage.getItem(REMEMBER) || "[]")); } catch { return new Set(); }
}

export function createConsole(el, options = {}) {
  const root = make("div", "mia-console");
  root.tabIndex = -1;
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(root);
  const link = new Link(options.base || deskBase());
  const ui = { palette: options.palette || (matchMedia("(prefers-contrast: more)").matches ? "colour_blind" : "classic"), timeframe: "1m" };
  const arm = armSheet(root, link), halt = haltSheet(root, link), keys = keySheet(root);
  const strip = createStrip(root, { link, arm, halt });
  const grid = make("div", "mia-grid"), folded = remembered(), panels = [], place = layOut(grid);
  root.append(grid);

  for (const [name, title, create] of PANELS) {
    const box = make("section", "mia-panel"), head = make("h2"), fold = make("button", "fold"), body = make("div", "mia-body");
    box.dataset.panel = name;
    box.setAttribute("aria-label", title);
    fold.type = "button";
    fold.textContent = title;
    fold.title = "fold or unfold";
    head.append(fold, make("span", "since"));
    if (name === "price") head.append(make("span", "nobook"), make("span", "gamma"), timeframes(ui, () => show()));
    box.append(head, body);
    place(name).append(box);
    const set = (closed) => { box.dataset.folded = String(closed); fold.setAttribute("aria-expanded", String(!closed)); };
    set(folded.has(name));
    fold.onclick = () => {
      folded.has(name) ? folded.delete(name) : folded.add(name);
      set(folded.has(name));
      try { localStorage.setItem(REMEMBER, JSON.stringify([...folded])); } catch { /* a private window forgets */ }
    };
    panels.push({ name, box, panel: create(body, Object.assign(Object.create(ui), {})), since: head.querySelector(".since") });
  }

  // The console's own width decides, not the window's: in JupyterLab a sidebar may take a third of it.
  const fit = () => { root.dataset.width = WIDTHS.find(([, least]) => root.clientWidth >= least)[0]; };
  const sized = new ResizeObserver(fit);
  sized.observe(root);
  fit();

  const times = [];
  const show = () => {
    const frame = link.frame, age = link.frameAge(), stale = Boolean(frame && frame.live && age > STALE_MS);
    const state = { stale, age, guardian: link.guardian(), why: link.open ? "waiting for the first frame: a loop reads and warms up first, and a first start compiles for one to two minutes; `mia lab` and `mia run` start one" : link.why() };
    root.dataset.theme = colours().dark ? "dark" : "light";
    root.dataset.palette = ui.palette;
    root.dataset.stale = String(stale);
    root.dataset.stamp = stampOf(frame);
    showBook(root, frame);
    strip.update(frame, state);
    showGamma(grid.querySelector(".gamma"), frame);
    for (const { box, panel, since } of panels) {
      box.dataset.stale = String(stale);
      put(since, stale ? `no new frame for ${Math.round(age / 1000)} s` : "");
      if (box.dataset.folded !== "true") panel.update(frame, state);
    }
    if (frame && root.dataset.seq !== String(frame.seq)) note(root, frame, times);
    requestAnimationFrame(() => link.drawn()); // after the canvases, which paint in the same turn
  };
  let wanted = 0;
  const ask = () => { if (!wanted) wanted = requestAnimationFrame(() => { wanted = 0; show(); }); };
  link.on(ask);
  const tick = setInterval(show, 500);
  const stopKeys = listen(root, options.global ? window : root, { link, arm, halt, keys, strip, ui, show });
  show();
  return { link, ui, show, close() { clearInterval(tick); sized.disconnect(); stopKeys(); link.close(); root.remove(); } };
}

// What a test reads: number of the frame, how long it took from the sender to here, and the pace of the last frames.
function note(root, frame, times) {
  const now = performance.now();
  times.push(now);
  while (times.length > 100) times.shift();
  root.dataset.seq = String(frame.seq);
  root.dataset.frames = String(Number(root.dataset.frames || 0) + 1);
  if (frame.health && frame.health.sent_ms) root.dataset.latency = (Date.now() - frame.health.sent_ms).toFixed(1);
  if (times.length > 2) {
    const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
    root.dataset.fps = (1000 / gaps[gaps.length >> 1]).toFixed(1);
  }
}

// Columns of panels; returns where a panel of a name belongs.
function layOut(grid) {
  const lower = make("div", "mia-lower"), at = {};
  for (const [name, members] of COLUMNS) {
    const column = make("div", "mia-column");
    column.dataset.column = name;
    for (const member of members) at[member] = LOWER.includes(member) ? lower : column;
    grid.append(column);
  }
  return (name) => {
    if (at[name] === lower && !lower.parentNode) grid.firstElementChild.append(lower);
    return at[name];
  };
}

// A source that has shown no book so far leaves the room of ladder and depth to the price.
function showBook(root, frame) {
  const none = Boolean(frame) && !(frame.ladder && frame.ladder.bid.length) && !(frame.depth && frame.depth.ts.length);
  if (root.dataset.book !== (none ? "none" : "")) {
    root.dataset.book = none ? "none" : "";
    root.querySelector(none ? ".mia-lower" : "[data-column='book']").append(root.querySelector("[data-panel='battle']"));
  }
  const line = root.querySelector(".nobook");
  put(line, none ? "no order book from this source: no ladder, no depth" : "");
  line.title = line.textContent;
}

// One line about the option chain as a whole; its walls are lines of the picture.
function showGamma(node, frame) {
  const gamma = frame && frame.gamma;
  const dealers = gamma && gamma.dealers > 0 ? "long gamma" : gamma && gamma.dealers < 0 ? "short gamma" : "neutral";
  put(node, !gamma ? "" : `net gamma ${signed(gamma.net_usd === null ? null : gamma.net_usd / 1e9)} bn USD per 1 %, dealers ${dealers}, `
    + `${gamma.fresh ? "" : "OLD, "}${ageOf((frame.ts_event - gamma.as_of) / 1e9)} old`);
  node.title = gamma ? `${gamma.source === null ? "source unknown since the loop was restored" : `from ${gamma.source}`}, quotes of ${clockOf(gamma.as_of)} New York, `
    + `quality ${gamma.quality === null ? "—" : fixed(gamma.quality)}; walls are mapped to prices of the future` : "";
}

const ageOf = (s) => s < 90 ? `${Math.max(0, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;

function timeframes(ui, changed) {
  const group = make("span", "timeframes");
  for (const name of TIMEFRAMES) {
    const pick = make("button", "", name);
    pick.type = "button";
    pick.dataset.timeframe = name;
    pick.setAttribute("aria-pressed", String(ui.timeframe === name));
    pick.onclick = () => { ui.timeframe = name; press(group, name); changed(); };
    group.append(pick);
  }
  return group;
}

function press(group, name) {
  for (const pick of group.children) pick.setAttribute("aria-pressed", String(pick.dataset.timeframe === name));
}

function listen(root, target, { arm, halt, keys, strip, ui, show }) {
  let escaped = -Infinity;
  const down = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (performance.now() - escaped < DOUBLE_MS) strip.disarm();
      escaped = performance.now();
      return;
    }
    if (event.target.closest && event.target.closest("input, textarea, dialog")) return;
    const at = TIMEFRAMES[Number(event.key) - 1];
    const does = { "?": () => keys.open(), h: () => halt.open(), a: () => arm.open(),
      p: () => { ui.palette = ui.palette === "classic" ? "colour_blind" : "classic"; show(); },
      t: () => { document.documentElement.dataset.miaTheme = colours().dark ? "light" : "dark"; show(); } }[event.key];
    if (at) { ui.timeframe = at; press(root.querySelector(".timeframes"), at); show(); }
    else if (does) does();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  target.addEventListener("keydown", down);
  return () => target.removeEventListener("keydown", down);
}
