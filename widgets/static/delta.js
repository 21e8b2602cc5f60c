import { Pen, extent, indexAt, mount, timeSeconds } from "./draw.js";

const whole = (x) => (Math.round(x) || 0).toLocaleString("en-US");

export function draw(pen, frame) {
  const { c, theme } = pen;
  const bars = frame.delta || {}, ts = bars.ts || [];
  pen.title("Delta per bar and cumulative (contracts)" + (frame.title ? ` · ${frame.title}` : ""));
  const known = extent(bars.cumulative, bars.delta);
  if (!ts.length || !known) {
    pen.empty(frame.reason || "no delta: the source says no aggressor side");
    return null;
  }
  const width = ts.length > 1 ? ts[1] - ts[0] : 60000;
  const [low, high] = [Math.min(0, known[0]), Math.max(0, known[1])], pad = (high - low || 1) * 0.06;
  pen.frame([ts[0] - width, ts[ts.length - 1] + width], low - pad, high + pad);
  pen.axes(whole);
  const body = Math.max(1, (pen.x(ts[0] + width) - pen.x(ts[0])) * 0.7), zero = pen.y(0);
  if (bars.delta) {
    for (let i = 0; i < ts.length; i++) {
      if (!Number.isFinite(bars.delta[i])) continue;
      c.fillStyle = bars.delta[i] > 0 ? theme.buy : theme.sell;
      const y = pen.y(bars.delta[i]);
      c.fillRect(pen.x(ts[i]) - body / 2, Math.min(y, zero), body, Math.max(1, Math.abs(y - zero)));
    }
  }
  c.strokeStyle = theme.muted;
  pen.line(pen.box.left, zero, pen.box.right, zero);
  if (bars.cumulative) pen.path(ts, bars.cumulative, theme.text);
  const at = pen.crosshair(whole);
  if (at === null) return null;
  const i = Math.max(0, indexAt(ts, at));
  return `${timeSeconds(ts[i])} New York`
    + (bars.delta ? `\ndelta ${whole(bars.delta[i])} contracts` : "")
    + (bars.cumulative ? `\ncumulative ${whole(bars.cumulative[i])} contracts` : "");
}

export function describe(frame) {
  const found = frame.delta && frame.delta.cumulative;
  return found && found.length ? `Cumulative delta ${whole(found[found.length - 1])} contracts` : "Delta unknown";
}

export default { render: ({ model, el }) => mount(model, el, draw, describe) };
