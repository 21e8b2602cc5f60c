// Price: bars of one timeframe, VWAP and bands, levels, zones, gamma walls, balls and bases, fills, stop and target;
// the profile stands on the same axis at the right.
import { extent, indexAt, timeSeconds } from "./draw.js";
import { canvasPanel, fixed, hosted, signed, words } from "./panel.js";

const SHOWN = 110, PROFILE = 92, NAMES = 74, LINE = 12;
const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400 };
const ZONES = { extreme: 0.2, strong: 0.14, moderate: 0.09, weak: 0.04 };
const SHORT = {
  call_wall: "Call wall", put_wall: "Put wall", gamma_flip: "Flip", call_wall_0dte: "Call wall 0DTE",
  put_wall_0dte: "Put wall 0DTE", pin: "Pin", expected_high: "Exp. high", expected_low: "Exp. low",
  session_high: "High", session_low: "Low", sd1_up: "+1 SD", sd1_down: "−1 SD", sd2_up: "+2 SD", sd2_down: "−2 SD",
};
const WALLS = new Set(["call_wall", "put_wall", "gamma_flip"]);
const nameOf = (name) => SHORT[name] || (name.length <= 4 ? name.toUpperCase() : words(name));

export function draw(pen, frame, ui) {
  const { box, theme } = pen, timeframe = ui.timeframe || "1m";
  const all = frame[`bars_${timeframe}`];
  if (!all || !all.ts.length) { pen.empty(all ? "no bar yet" : `this source gives no ${timeframe} bars`); return null; }
  const from = Math.max(0, all.ts.length - SHOWN);
  const bars = Object.fromEntries(Object.entries(all).map(([name, column]) => [name, column.subarray(from)]));
  const width = SECONDS[timeframe] * 1000;
  let [low, high] = extent(bars.low, bars.high);
  for (const order of frame.orders || []) if (order.open) { low = Math.min(low, order.stop); high = Math.max(high, order.target); }
  const pad = Math.max(0.75, (high - low) * 0.07);
  box.right = pen.width - 64 - (ui.profile === false ? 0 : PROFILE);
  box.left = 8 + NAMES;  // levels have their names beside the bars, never over them
  box.top = 8;
  pen.axisX = pen.width - 58;
  pen.frame([bars.ts[0] - width / 2, bars.ts[bars.ts.length - 1] + width * 1.5], low - pad, high + pad);
  pen.axes((x) => x.toFixed(2));
  const right = pen.width - 64;
  drawZones(pen, frame.zones || []);
  drawLevels(pen, frame.levels || [], right);
  drawBands(pen, bars, theme);
  drawBars(pen, bars, width);
  if (ui.battle !== false && frame.battle && frame.battle.timeframe === timeframe) drawBattle(pen, frame.battle);
  drawTrips(pen, frame);
  drawOrders(pen, frame.orders || []);
  if (ui.profile !== false) drawProfile(pen, frame.profile, right);
  drawLast(pen, frame, right);
  drawBeyond(pen, frame.levels || []);
  return tip(pen, bars, frame);
}

function tip(pen, bars, frame) {
  const at = pen.crosshair((x) => x.toFixed(2));
  if (at === null) return null;
  const i = Math.max(0, Math.min(bars.ts.length - 1, indexAt(bars.ts, at)));
  const price = pen.y.invert(pen.pointer.y);
  const near = (frame.levels || []).filter((l) => Math.abs(l.price - price) <= 0.5)
    .map((l) => `${nameOf(l.name)} ${l.price.toFixed(2)}, ${l.touches} touches`);
  return [`${timeSeconds(bars.ts[i])} New York`, `O ${fixed(bars.open[i])}  H ${fixed(bars.high[i])}`,
    `L ${fixed(bars.low[i])}  C ${fixed(bars.close[i])}`, `volume ${bars.volume[i]} contracts`,
    `delta ${signed(bars.delta[i], 0)} contracts`, `VWAP ${fixed(bars.vwap[i])}`, ...near].join("\n");
}

function drawBands(pen, bars, theme) {
  const line = (times) => bars.vwap.map((v, i) => v + times * bars.vwap_sd[i]);
  pen.path(bars.ts, bars.vwap, theme.vwap, { width: 1.5 });
  for (const times of [1, -1]) pen.path(bars.ts, line(times), theme.vwap, { width: 0.75, dash: [2, 3] });
}

function drawBars(pen, bars, width) {
  const { c, theme } = pen;
  const body = Math.max(1, Math.min(9, (pen.x(bars.ts[0] + width) - pen.x(bars.ts[0])) * 0.7));
  for (let i = 0; i < bars.ts.length; i++) {
    const x = Math.round(pen.x(bars.ts[i] + width / 2)) + 0.5, up = bars.close[i] >= bars.open[i];
    c.strokeStyle = c.fillStyle = up ? theme.buy : theme.sell;
    pen.line(x, pen.y(bars.high[i]), x, pen.y(bars.low[i]));
    const top = pen.y(Math.max(bars.open[i], bars.close[i])), bottom = pen.y(Math.min(bars.open[i], bars.close[i]));
    if (body >= 2) c.fillRect(x - body / 2, top, body, Math.max(1, bottom - top));
  }
}

function drawZones(pen, zones) {
  const { c, box, theme } = pen;
  for (const zone of zones) {
    if (zone.high < pen.range[0] || zone.low > pen.range[1] || zone.quality === "weak") continue;
    c.globalAlpha *= ZONES[zone.quality];
    c.fillStyle = theme.neutral;
    c.fillRect(box.left, pen.y(zone.high), box.right - box.left, Math.max(2, pen.y(zone.low) - pen.y(zone.high)));
    c.globalAlpha /= ZONES[zone.quality];
  }
}

function drawLevels(pen, levels, right) {
  const { c, box, theme } = pen;
  const shown = levels.filter((l) => l.price >= pen.range[0] && l.price <= pen.range[1] && l.name !== "vwap")
    .sort((a, b) => b.weight - a.weight);
  for (const level of shown) {
    const y = Math.round(pen.y(level.price)) + 0.5;
    c.strokeStyle = theme[level.family] || theme.neutral;
    c.lineWidth = level.family === "gamma" ? 1.5 : 1;
    c.globalAlpha *= level.family === "round" || level.fresh === false ? 0.5 : 0.85;
    c.setLineDash({ dash: [6, 4], dot: [2, 3] }[level.style] || []);
    pen.line(box.left, y, right, y);
    c.setLineDash([]);
    c.globalAlpha /= level.family === "round" || level.fresh === false ? 0.5 : 0.85;
    c.lineWidth = 1;
  }
  nameLevels(pen, shown);
}

// Names stand in a column of their own, the weightiest first; levels within one line of text share it, the crosshair tells all.
function nameLevels(pen, shown) {
  const { c, box, theme } = pen, places = [];
  for (const level of shown) {
    const y = pen.y(level.price), text = nameOf(level.name) + (level.fresh === false ? " (old)" : "");
    const near = places.find((place) => Math.abs(place.y - y) < LINE);
    if (!near) places.push({ y, text, colour: theme[level.family] || theme.neutral });
    else if (c.measureText(`${near.text} · ${text}`).width <= NAMES - 6) near.text += ` · ${text}`;
  }
  for (const { y, text, colour } of places) pen.label(text, box.left - 6, y, colour, "right");
}

// Walls and flip that lie outside what is shown stand at the edge they lie behind, the nearest outermost.
export function beyond(levels, [low, high]) {
  const walls = levels.filter((l) => WALLS.has(l.name) && (l.price < low || l.price > high));
  const told = (l) => `${nameOf(l.name)} ${l.price.toFixed(2)}${l.fresh === false ? " (old)" : ""}`;
  const above = walls.filter((l) => l.price > high).sort((a, b) => a.price - b.price);
  const below = walls.filter((l) => l.price < low).sort((a, b) => b.price - a.price);
  return { above: above.map((l) => `${told(l)} ▲`), below: below.map((l) => `${told(l)} ▼`) };
}

function drawBeyond(pen, levels) {
  const { box, theme } = pen, { above, below } = beyond(levels, pen.range);
  above.forEach((text, i) => pen.label(text, box.right - 4, box.top + 8 + i * LINE, theme.gamma, "right"));
  below.forEach((text, i) => pen.label(text, box.right - 4, box.bottom - 8 - i * LINE, theme.gamma, "right"));
}

function drawBattle(pen, battle) {
  const { c, box, theme } = pen, now = battle.now;
  if (now.base_low !== null && now.golden_rule !== "none") {
    c.globalAlpha *= 0.16;
    c.fillStyle = now.golden_rule === "bull" || now.golden_rule === "red_broken" ? theme.buy : theme.sell;
    c.fillRect(box.left, pen.y(now.base_high), box.right - box.left, pen.y(now.base_low) - pen.y(now.base_high));
    c.globalAlpha /= 0.16;
  }
  for (const event of battle.events) {
    const t = event.pivot_ts / 1e6;
    if (t < pen.times[0] || !event.kind.endsWith("_ball")) continue;
    c.beginPath();
    c.arc(pen.x(t), pen.y(event.price), 3.5, 0, 7);
    c.fillStyle = event.side > 0 ? theme.buy : theme.sell;
    c.fill();
    c.strokeStyle = theme.surface;
    c.stroke();
  }
}

function drawTrips(pen, frame) {
  const { c, theme } = pen, trips = frame.trips || {}, fills = frame.fills || {};
  for (let i = 0; i < (trips.entry_ts || []).length; i++) {
    if (trips.exit_ts[i] < pen.times[0]) continue;
    c.strokeStyle = trips.net_usd[i] > 0 ? theme.buy : trips.net_usd[i] < 0 ? theme.sell : theme.neutral;
    c.setLineDash([3, 2]);
    c.lineWidth = 1.5;
    pen.line(pen.x(trips.entry_ts[i]), pen.y(trips.entry[i]), pen.x(trips.exit_ts[i]), pen.y(trips.exit[i]));
    c.setLineDash([]);
    c.lineWidth = 1;
  }
  for (let i = 0; i < (fills.ts || []).length; i++) {
    if (fills.ts[i] < pen.times[0]) continue;
    const side = fills.side[i];
    pen.mark(pen.x(fills.ts[i]), pen.y(fills.price[i]) + (side > 0 ? 8 : -8), side, side > 0 ? theme.buy : theme.sell);
  }
  for (const signal of frame.signals || []) {
    const t = signal.ts / 1e6;
    if (signal.allowed || t < pen.times[0]) continue;
    pen.mark(pen.x(t), pen.y(signal.entry) + (signal.side > 0 ? 8 : -8), signal.side, theme.neutral, { hollow: true });
  }
}

function drawOrders(pen, orders) {
  for (const order of orders) {
    const own = [["stop", order.stop, pen.theme.sell], ["target", order.target, pen.theme.buy]];
    if (order.average !== null) own.push([`${order.side > 0 ? "long" : "short"} ${order.open}`, order.average, pen.theme.text]);
    for (const [name, price, colour] of own) {
      const y = Math.round(pen.y(price)) + 0.5, text = `${name} ${price.toFixed(2)}`;
      pen.c.strokeStyle = colour;
      pen.c.setLineDash(name === "stop" || name === "target" ? [8, 4] : []);
      pen.line(pen.box.left + (pen.box.right - pen.box.left) * 0.6, y, pen.box.right, y);
      pen.c.setLineDash([]);
      pen.label(text, pen.box.right - 4, y - 7, colour, "right");
    }
  }
}

export function drawProfile(pen, profile, right) {
  const { c, box, theme } = pen;
  if (!profile || !profile.price.length) return;
  const [, most] = extent(profile.volume) || [0, 1], left = box.right + 6, row = Math.max(1, Math.abs(pen.y(0.25) - pen.y(0)) * 0.86);
  for (let i = 0; i < profile.price.length; i++) {
    const y = pen.y(profile.price[i]);
    if (y < box.top || y > box.bottom) continue;
    c.globalAlpha *= profile.node[i] > 0 ? 0.95 : profile.in_area[i] ? 0.6 : 0.3;
    c.fillStyle = theme.profile;
    c.fillRect(left, y - row / 2, (profile.volume[i] / (most || 1)) * (right - left), row);
    c.globalAlpha /= profile.node[i] > 0 ? 0.95 : profile.in_area[i] ? 0.6 : 0.3;
  }
}

function drawLast(pen, frame, right) {
  const last = frame.price && frame.price.last;
  if (last === null || last === undefined) return;
  const { c, theme } = pen, y = Math.round(pen.y(last)) + 0.5;
  c.strokeStyle = theme.text;
  c.setLineDash([1, 3]);
  pen.line(pen.box.left, y, right, y);
  c.setLineDash([]);
  c.fillStyle = theme.text;
  c.fillRect(right + 2, y - 8, 60, 16);
  pen.label(last.toFixed(2), right + 6, y, theme.surface);
}

export function create(el, ui = {}) {
  const panel = canvasPanel(el, draw, ui);
  const update = panel.update;
  panel.update = (frame, state) => {
    update(frame, state);
    if (!frame || !frame.price) return;
    const walls = (frame.levels || []).filter((l) => WALLS.has(l.name)).map((l) => `, ${nameOf(l.name)} ${fixed(l.price)}`);
    panel.describe(`Price ${fixed(frame.price.last)} points, ${ui.timeframe || "1m"} bars${walls.join("")}`);
  };
  return panel;
}

export default hosted("price", create);
