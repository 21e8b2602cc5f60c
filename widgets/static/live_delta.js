// Delta: the footprint of the last minutes above, bar delta and cumulative delta below.
import { extent, timeSeconds } from "./draw.js";
import { canvasPanel, hosted, signed } from "./panel.js";

const SHOWN = 60;

export function draw(pen, frame, ui) {
  const bars = frame.bars_1m || frame[`bars_${ui.timeframe}`];
  if (!bars || !bars.ts.length) { pen.empty("no bar yet"); return null; }
  if (!bars.delta.some((x) => Number.isFinite(x))) {
    pen.empty("delta is unknown: this source does not say who was the aggressor");
    return null;
  }
  const split = Math.round(pen.height * 0.62);
  drawFootprint(pen, frame.footprint, split - 6);
  return drawBars(pen, bars, split);
}

function drawFootprint(pen, foot, bottom) {
  const { c, theme } = pen;
  if (!foot || !foot.ts.length) {
    pen.label("no trades with a known side in the last minutes", 8, 14, theme.muted);
    return;
  }
  const times = [...new Set(foot.ts)].slice(-Math.max(2, Math.floor((pen.width - 60) / 74)));
  const chosen = [...foot.ts.keys()].filter((i) => times.includes(foot.ts[i]));
  const [low, high] = extent(chosen.map((i) => foot.price[i]));
  const rowsShown = Math.min(Math.round((high - low) / 0.25) + 1, Math.max(6, Math.floor((bottom - 22) / 12)));
  const top = high, row = Math.min(18, (bottom - 22) / rowsShown), wide = (pen.width - 60) / times.length;
  const most = Math.max(1, ...chosen.map((i) => Math.max(foot.bid[i], foot.ask[i])));
  for (const i of chosen) {
    const line = Math.round((top - foot.price[i]) / 0.25);
    if (line >= rowsShown) continue;
    const x = times.indexOf(foot.ts[i]) * wide, mid = x + wide / 2, y = 18 + (line + 0.5) * row, flag = foot.imbalance[i];
    for (const [value, colour, sign] of [[foot.bid[i], theme.sell, -1], [foot.ask[i], theme.buy, 1]]) {
      c.globalAlpha *= Math.sign(flag) === sign ? 0.75 : 0.22;
      c.fillStyle = colour;
      const long = (value / most) * (wide / 2 - 6);
      c.fillRect(sign > 0 ? mid + 1 : mid - 1 - long, y - row / 2 + 0.5, long, row - 1);
      c.globalAlpha /= Math.sign(flag) === sign ? 0.75 : 0.22;
    }
    if (row >= 11) {
      pen.label(String(foot.bid[i]), mid - 5, y, theme.text, "right");
      pen.label(String(foot.ask[i]), mid + 5, y, theme.text);
    }
    if (Math.abs(flag) === 2) {
      c.strokeStyle = flag > 0 ? theme.buy : theme.sell;
      c.strokeRect(x + 3, y - row / 2, wide - 6, row);
    }
    if (times.indexOf(foot.ts[i]) === times.length - 1 && line % 2 === 0) pen.label(foot.price[i].toFixed(2), pen.width - 54, y, theme.muted);
  }
  times.forEach((t, k) => pen.label(timeSeconds(t).slice(0, 5), (k + 0.5) * wide, 9, theme.muted, "center"));
}

function drawBars(pen, all, top) {
  const { c, box, theme } = pen, from = Math.max(0, all.ts.length - SHOWN);
  const ts = all.ts.subarray(from), delta = all.delta.subarray(from), cvd = all.cvd.subarray(from);
  box.top = top;
  const reach = Math.max(1, ...[...delta].filter(Number.isFinite).map(Math.abs));
  pen.frame([ts[0], ts[ts.length - 1] + 60000], -reach * 1.1, reach * 1.1);
  pen.axes((x) => x.toFixed(0));
  const wide = Math.max(1, (box.right - box.left) / ts.length - 1);
  for (let i = 0; i < ts.length; i++) {
    if (!Number.isFinite(delta[i])) continue;
    const y = pen.y(delta[i]), zero = pen.y(0);
    c.fillStyle = delta[i] > 0 ? theme.buy : theme.sell;
    c.fillRect(pen.x(ts[i]), Math.min(y, zero), wide, Math.max(1, Math.abs(y - zero)));
  }
  const range = extent([...cvd].filter(Number.isFinite));
  if (range) {
    const pad = Math.max(1, (range[1] - range[0]) * 0.1);
    const kept = pen.y;
    pen.y = (v) => box.bottom - ((v - range[0] + pad) / (range[1] - range[0] + 2 * pad)) * (box.bottom - box.top);
    pen.path(ts, cvd, theme.text, { width: 1.25 });
    pen.y = kept;
    const known = [...cvd].filter(Number.isFinite);
    pen.label(`cumulative ${signed(known[known.length - 1], 0)}`, box.right - 4, top + 8, theme.text, "right");
  }
  const at = pen.crosshair((x) => x.toFixed(0));
  if (at === null) return null;
  let i = ts.length - 1;
  while (i > 0 && ts[i] > at) i -= 1;
  return `${timeSeconds(ts[i])} New York\nbar delta ${signed(delta[i], 0)} contracts\ncumulative ${signed(cvd[i], 0)} contracts`;
}

export function create(el, ui = {}) {
  const panel = canvasPanel(el, draw, ui), update = panel.update;
  panel.update = (frame, state) => {
    update(frame, state);
    const bars = frame && frame.bars_1m;
    if (bars && bars.ts.length) panel.describe(`Delta of the forming minute ${signed(bars.delta[bars.delta.length - 1], 0)} contracts`);
  };
  return panel;
}

export default hosted("delta", create);
