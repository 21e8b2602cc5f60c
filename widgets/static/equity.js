import { Pen, extent, indexAt, mount, timeSeconds } from "./draw.js";

const usd = (x) => x.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function draw(pen, frame) {
  const { c, theme } = pen;
  const equity = frame.equity || {}, ts = equity.ts || [];
  pen.title("Equity, marked (USD)" + (frame.title ? ` · ${frame.title}` : ""));
  if (!ts.length) {
    pen.empty(frame.reason || "no mark yet");
    return null;
  }
  const start = equity.usd[0], [low, high] = extent(equity.usd, equity.low_usd, [start]);
  const pad = (high - low || 100) * 0.08;
  pen.frame([ts[0], Math.max(ts[ts.length - 1], ts[0] + 60000)], low - pad, high + pad);
  pen.axes(usd);
  const base = pen.y(start);
  c.strokeStyle = theme.muted;
  c.setLineDash([4, 4]);
  pen.line(pen.box.left, base, pen.box.right, base);
  c.setLineDash([]);
  let peak = -Infinity;
  c.fillStyle = theme.sell;
  c.globalAlpha *= 0.16;
  c.beginPath();
  const peaks = Array.from(equity.usd, (x) => (peak = Math.max(peak, x)));
  for (let i = 0; i < ts.length; i++) c.lineTo(pen.x(ts[i]), pen.y(peaks[i]));
  for (let i = ts.length - 1; i >= 0; i--) c.lineTo(pen.x(ts[i]), pen.y(equity.usd[i]));
  c.fill();
  c.globalAlpha = 1;
  pen.path(ts, equity.usd, theme.text);
  const at = pen.crosshair(usd);
  if (at === null) return null;
  const i = Math.max(0, indexAt(ts, at));
  return `${timeSeconds(ts[i])} New York\nequity ${usd(equity.usd[i])} USD\nfrom peak ${usd(equity.usd[i] - peaks[i])} USD`;
}

export function describe(frame) {
  const found = frame.equity && frame.equity.usd;
  return found && found.length ? `Equity ${usd(found[found.length - 1])} USD` : "Equity, no mark yet";
}

export default { render: ({ model, el }) => mount(model, el, draw, describe) };
