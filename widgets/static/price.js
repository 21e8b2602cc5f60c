import { Pen, extent, indexAt, mount, timeSeconds } from "./draw.js";

const price = (x) => x.toFixed(2);

export function draw(pen, frame) {
  const { theme } = pen;
  const bars = frame.bars || {}, ts = bars.ts || [];
  pen.title(`${frame.title || "Price"} · New York time`);
  if (!ts.length) {
    pen.empty(frame.reason || "no bar yet");
    return null;
  }
  const lines = frame.lines || {}, levels = frame.levels || [], entries = frame.entries || {}, refused = frame.refused || {};
  const [low, high] = extent(bars.low, bars.high, lines.vwap, entries.price, refused.price);
  const pad = (high - low || 1) * 0.06;
  const width = ts.length > 1 ? ts[1] - ts[0] : 60000;
  pen.frame([ts[0] - width, ts[ts.length - 1] + width], low - pad, high + pad);
  pen.axes(price);
  drawLevels(pen, levels);
  drawBars(pen, bars, width);
  if (lines.vwap) pen.path(ts, lines.vwap, theme.vwap);
  for (const name of ["vwap_upper", "vwap_lower"]) if (lines[name]) pen.path(ts, lines[name], theme.vwap, { width: 0.75, dash: [2, 3] });
  drawTrips(pen, frame.trips || {});
  drawMarks(pen, refused, true);
  drawMarks(pen, entries, false);
  const at = pen.crosshair(price);
  if (at === null) return null;
  const i = Math.max(0, indexAt(ts, at));
  return `${timeSeconds(ts[i])} New York\nO ${price(bars.open[i])}  H ${price(bars.high[i])}\nL ${price(bars.low[i])}  C ${price(bars.close[i])}`
    + (bars.volume ? `\nvolume ${Math.round(bars.volume[i])} contracts` : "")
    + (lines.vwap && Number.isFinite(lines.vwap[i]) ? `\nVWAP ${price(lines.vwap[i])}` : "");
}

function drawBars(pen, bars, width) {
  const { c, theme } = pen;
  const body = Math.max(1, Math.min(9, (pen.x(bars.ts[0] + width) - pen.x(bars.ts[0])) * 0.7));
  for (let i = 0; i < bars.ts.length; i++) {
    const x = Math.round(pen.x(bars.ts[i])) + 0.5, up = bars.close[i] >= bars.open[i];
    c.strokeStyle = c.fillStyle = up ? theme.buy : theme.sell;
    pen.line(x, pen.y(bars.high[i]), x, pen.y(bars.low[i]));
    if (body >= 2) {
      const top = pen.y(Math.max(bars.open[i], bars.close[i])), bottom = pen.y(Math.min(bars.open[i], bars.close[i]));
      c.fillRect(x - body / 2, top, body, Math.max(1, bottom - top));
    }
  }
}

function drawLevels(pen, levels) {
  const { c, box, theme } = pen;
  const shown = levels.filter((l) => l.price >= pen.range[0] && l.price <= pen.range[1]).sort((a, b) => a.price - b.price);
  let last = Infinity;
  for (const level of shown) {
    const y = Math.round(pen.y(level.price)) + 0.5, colour = theme[level.family] || theme.neutral;
    c.strokeStyle = colour;
    c.setLineDash({ dash: [6, 4], dot: [2, 3] }[level.style] || []);
    pen.line(box.left, y, box.right, y);
    c.setLineDash([]);
    if (last - y > 12) {
      pen.label(level.name, box.left + 4, y - 6, colour);
      last = y;
    }
  }
}

function drawTrips(pen, trips) {
  const { c, theme } = pen;
  for (let i = 0; i < (trips.entry_ts || []).length; i++) {
    const colour = trips.net_usd[i] > 0 ? theme.buy : trips.net_usd[i] < 0 ? theme.sell : theme.neutral;
    c.strokeStyle = colour;
    c.lineWidth = 2;
    const x = pen.x(trips.exit_ts[i]), y = pen.y(trips.exit[i]);
    pen.line(pen.x(trips.entry_ts[i]), pen.y(trips.entry[i]), x, y);
    pen.line(x - 3, y - 3, x + 3, y + 3);
    pen.line(x - 3, y + 3, x + 3, y - 3);
    c.lineWidth = 1;
  }
}

function drawMarks(pen, marks, hollow) {
  for (let i = 0; i < (marks.ts || []).length; i++) {
    const colour = marks.side[i] > 0 ? pen.theme.buy : pen.theme.sell;
    pen.mark(pen.x(marks.ts[i]), pen.y(marks.price[i]) + (marks.side[i] > 0 ? 9 : -9), marks.side[i], colour, { hollow });
  }
}

export function describe(frame) {
  const close = frame.bars && frame.bars.close;
  return close && close.length ? `Price ${price(close[close.length - 1])}, ${close.length} bars` : "Price, no bar yet";
}

export default { render: ({ model, el }) => mount(model, el, draw, describe) };
