// Depth: resting sizes through half an hour (log scale of size), trades as dots, the present book at the right.
import { timeSeconds } from "./draw.js";
import { canvasPanel, fixed, hosted } from "./panel.js";

const ROWS = 40, TICK = 0.25, LEVELS = 10, COLUMN_MS = 10000, BOOK = 74;
// Viridis by eleven stops: dark is empty, one ramp for both sides.
const RAMP = [[18, 21, 27], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37]];
const RAMP_LIGHT = [[255, 255, 255], [226, 236, 246], [189, 215, 236], [147, 190, 222], [104, 163, 204], [66, 134, 181],
  [46, 106, 155], [38, 80, 128], [36, 57, 102], [30, 38, 77], [22, 22, 53]];

export function ramp(share, dark) {
  const stops = dark ? RAMP : RAMP_LIGHT, at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at)), f = at - i;
  return stops[i].map((a, k) => Math.round(a + (stops[i + 1][k] - a) * f));
}

export function draw(pen, frame, ui) {
  const { c, box, theme } = pen, depth = frame.depth, last = frame.price && frame.price.last;
  if (!depth || !depth.ts.length || last === null) {
    pen.empty("no depth: this source carries no order book");
    return null;
  }
  // The picture follows price in steps, so that a level stays where it is while price moves a little.
  const kept = ui.middle;
  const centre = kept !== undefined && Math.abs(kept - last) < (ROWS * TICK) / 4 ? kept : Math.round(last / 2) * 2;
  ui.middle = centre;
  const low = centre - (ROWS / 2) * TICK, high = centre + (ROWS / 2) * TICK;
  box.right = pen.width - 64 - BOOK;
  box.top = 8;
  pen.axisX = pen.width - 58;
  const end = depth.ts[depth.ts.length - 1] + COLUMN_MS;
  pen.frame([Math.max(depth.ts[0], end - 1800000), end], low, high);
  const [least, most] = drawSizes(pen, depth, ui);
  pen.axes((x) => x.toFixed(2));
  drawLines(pen, frame.levels || []);
  drawDots(pen, frame.dots);
  drawBook(pen, frame.ladder, most);
  drawLegend(pen, least, most);
  return tip(pen, depth, frame);
}

function drawSizes(pen, depth, ui) {
  const { c, box, theme } = pen;
  const columns = depth.ts.length, wide = Math.max(1, Math.round((pen.times[1] - pen.times[0]) / COLUMN_MS));
  const [least, most] = bounds(depth.sizes);
  const image = ui.image && ui.image.width === wide ? ui.image : (ui.image = new ImageData(wide, ROWS));
  image.data.fill(0);
  const lut = Array.from({ length: 64 }, (_, i) => ramp(i / 63, theme.dark));
  const scale = 1 / Math.log(most / least);
  const set = (x, price, size) => {
    const row = Math.round((pen.range[1] - price) / TICK - 0.5);
    if (row < 0 || row >= ROWS || size <= 0) return;
    const [r, g, b] = lut[Math.round(63 * Math.max(0.06, Math.min(1, Math.log(size / least) * scale)))], at = 4 * (row * wide + x);
    image.data[at] = r; image.data[at + 1] = g; image.data[at + 2] = b; image.data[at + 3] = 255;
  };
  for (let i = 0; i < columns; i++) {
    const x = Math.round((depth.ts[i] - pen.times[0]) / COLUMN_MS);
    const next = i + 1 < columns ? Math.round((depth.ts[i + 1] - pen.times[0]) / COLUMN_MS) : x + 1;
    if (x < 0 || x >= wide) continue;
    for (let k = 0; k < LEVELS; k++) {
      const at = i * 2 * LEVELS + k;
      for (let xx = x; xx < Math.min(next, x + 3, wide); xx++) {
        set(xx, depth.bid[i] - k * TICK, depth.sizes[at]);
        set(xx, depth.ask[i] + k * TICK, depth.sizes[at + LEVELS]);
      }
    }
  }
  const shadow = ui.shadow || (ui.shadow = document.createElement("canvas"));
  shadow.width = wide;
  shadow.height = ROWS;
  shadow.getContext("2d").putImageData(image, 0, 0);
  c.imageSmoothingEnabled = false;
  c.drawImage(shadow, box.left, box.top, box.right - box.left, box.bottom - box.top);
  return [least, most];
}

// The scale runs from the fifth to the 99.5th percentile of what rests: a single giant must not flatten the rest.
function bounds(sizes) {
  const some = Float64Array.from(sizes).filter((x) => x > 0).sort();
  if (!some.length) return [1, 10];
  const least = some[Math.floor(some.length * 0.05)], most = some[Math.floor((some.length - 1) * 0.995)];
  return [Math.max(1, least), Math.max(least + 1, most)];
}

function drawLines(pen, levels) {
  const { c, box, theme } = pen;
  for (const level of levels) {
    if (level.price < pen.range[0] || level.price > pen.range[1] || level.family === "round") continue;
    const y = Math.round(pen.y(level.price)) + 0.5;
    c.strokeStyle = theme[level.family] || theme.neutral;
    c.setLineDash({ dash: [6, 4], dot: [2, 3] }[level.style] || []);
    c.lineWidth = level.family === "gamma" ? 2 : 1;
    pen.line(box.left, y, box.right + BOOK, y);
    c.lineWidth = 1;
    c.setLineDash([]);
  }
}

function drawDots(pen, dots) {
  const { c, theme, box } = pen;
  if (!dots || !dots.ts.length) return;
  const total = dots.bid.map((b, i) => b + dots.ask[i]), sorted = Float64Array.from(total).sort();
  const least = Math.max(10, sorted[Math.floor(sorted.length * 0.86)]);
  for (let i = 0; i < dots.ts.length; i++) {
    const size = dots.bid[i] + dots.ask[i], t = dots.ts[i] + COLUMN_MS / 2;
    if (size < least || t < pen.times[0] || dots.price[i] <= pen.range[0] || dots.price[i] >= pen.range[1]) continue;
    c.beginPath();
    c.arc(pen.x(t), pen.y(dots.price[i]), Math.min(8, 2 + 2.4 * Math.log(size / least)), 0, 7);
    c.fillStyle = dots.ask[i] >= dots.bid[i] ? theme.buy : theme.sell;
    c.globalAlpha *= 0.8;
    c.fill();
    c.globalAlpha /= 0.8;
    c.strokeStyle = theme.surface;
    c.stroke();
  }
}

function drawBook(pen, ladder, most) {
  const { c, box, theme } = pen;
  if (!ladder) return;
  const row = Math.max(2, Math.abs(pen.y(TICK) - pen.y(0)) - 1);
  for (const [prices, sizes, colour] of [[ladder.bid, ladder.bid_size, theme.buy], [ladder.ask, ladder.ask_size, theme.sell]]) {
    for (let i = 0; i < prices.length; i++) {
      const y = pen.y(prices[i]);
      if (y < box.top || y > box.bottom) continue;
      c.fillStyle = colour;
      c.globalAlpha *= 0.7;
      c.fillRect(box.right + 4, y - row / 2, Math.min(1, sizes[i] / most) * (BOOK - 8), row);
      c.globalAlpha /= 0.7;
    }
  }
}

function drawLegend(pen, least, most) {
  const { c, box, theme } = pen, x = box.left + 8, y = box.bottom - 14, wide = 90;
  c.fillStyle = theme.surface;
  c.globalAlpha *= 0.85;
  c.fillRect(x - 6, y - 8, wide + 80, 18);
  c.globalAlpha /= 0.85;
  for (let i = 0; i < wide; i++) {
    c.fillStyle = `rgb(${ramp(i / wide, theme.dark).join(",")})`;
    c.fillRect(x + 18 + i, y - 4, 1, 8);
  }
  pen.label(String(least), x - 2, y, theme.muted);
  pen.label(`${most} lots`, x + wide + 24, y, theme.muted);
}

function tip(pen, depth, frame) {
  const at = pen.crosshair((x) => (Math.round(x / TICK) * TICK).toFixed(2));
  if (at === null) return null;
  const price = Math.round(pen.y.invert(pen.pointer.y) / TICK) * TICK;
  let i = depth.ts.length - 1;
  while (i > 0 && depth.ts[i] > at) i -= 1;
  const below = Math.round((depth.bid[i] - price) / TICK), above = Math.round((price - depth.ask[i]) / TICK);
  const size = below >= 0 && below < LEVELS ? depth.sizes[i * 2 * LEVELS + below]
    : above >= 0 && above < LEVELS ? depth.sizes[i * 2 * LEVELS + LEVELS + above] : null;
  return `${timeSeconds(depth.ts[i])} New York\n${price.toFixed(2)}  ${size === null ? "—" : `${size} contracts resting`}`;
}

export function create(el, ui = {}) {
  const panel = canvasPanel(el, draw, ui), update = panel.update;
  panel.update = (frame, state) => {
    update(frame, state);
    if (frame && frame.price) panel.describe(`Depth heat map around ${fixed(frame.price.last)}`);
  };
  return panel;
}

export default hosted("depth", create);
