// Shared drawing: theme, frame decoding, scales, axes, stamps, and the mount that coalesces to animation frames.
// No library. Every view is a function draw(pen, frame) over a 2d canvas.

export const MARKS = {
  classic: { buy: "#2fbf8f", sell: "#e5604d" },
  colour_blind: { buy: "#4c9be8", sell: "#f2a33a" },
};
export const MARKS_LIGHT = {
  classic: { buy: "#138a63", sell: "#c9402c" },
  colour_blind: { buy: "#1f6fbe", sell: "#b06a00" },
};
export const DARK = {
  surface: "#12151b", line: "#232a34", grid: "rgba(139,147,161,0.18)", text: "#e6e9ef", muted: "#9aa3b2",
  neutral: "#8b93a1", vwap: "#f2c14e", profile: "#60a5fa", gamma: "#a78bfa", previous: "#8b93a1",
  session: "#8b93a1", round: "rgba(139,147,161,0.5)", stamp: "rgba(139,147,161,0.14)",
};
export const LIGHT = {
  surface: "#ffffff", line: "#d9dee6", grid: "rgba(91,101,115,0.18)", text: "#1b212b", muted: "#5b6573",
  neutral: "#6b7380", vwap: "#9a7400", profile: "#2563c9", gamma: "#7250d8", previous: "#6b7380",
  session: "#6b7380", round: "rgba(91,101,115,0.5)", stamp: "rgba(91,101,115,0.12)",
};

export function isDark() {
  const chosen = document.documentElement.dataset.miaTheme;
  if (chosen) return chosen === "dark";
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

export function colours(palette) {
  const dark = isDark();
  return { ...(dark ? DARK : LIGHT), ...(dark ? MARKS : MARKS_LIGHT)[palette || "classic"], dark };
}

// The header names columns as [at, length, kind]: `at` counts 8-byte words of the buffer, kind is f8 if left out.
const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u2: Uint16Array, i1: Int8Array };

export function decode(header, view) {
  const bytes = view && view.byteLength
    ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0);
  return unfold(header, bytes, 0);
}

export function unfold(header, bytes, start) {
  const frame = { ...header, words: header.words || {} };
  for (const [name, columns] of Object.entries(header.series || {})) {
    frame[name] = {};
    for (const [column, [at, length, kind]] of Object.entries(columns))
      frame[name][column] = new KINDS[kind || "f8"](bytes, start + at * 8, length);
  }
  for (const [name, columns] of Object.entries(frame.words)) Object.assign(frame[name] || (frame[name] = {}), columns);
  return frame;
}

export function extent(...arrays) {
  let low = Infinity, high = -Infinity;
  for (const array of arrays) {
    for (const x of array || []) {
      if (x < low) low = x;
      if (x > high) high = x;
    }
  }
  return low <= high ? [low, high] : null;
}

export function scale([a, b], [c, d]) {
  const span = b - a || 1;
  const to = (x) => c + ((x - a) / span) * (d - c);
  to.invert = (y) => a + ((y - c) / (d - c || 1)) * span;
  return to;
}

export function niceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw || 1));
  for (const m of [1, 2, 2.5, 5, 10]) if (m * power >= raw) return m * power;
  return 10 * power;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat("en-GB", {
  timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
export const time = (ms) => clock.format(ms);
export const timeSeconds = (ms) => clockSeconds.format(ms);

// One panel of a canvas: plot box, scales and the marks every view needs.
export class Pen {
  constructor(context, width, height, theme, pointer) {
    Object.assign(this, { c: context, width, height, theme, pointer });
    this.box = { left: 8, right: width - 64, top: 20, bottom: height - 20 };
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1;
  }

  frame(times, low, high) {
    this.x = scale(times, [this.box.left, this.box.right]);
    this.y = scale([low, high], [this.box.bottom, this.box.top]);
    this.times = times;
    this.range = [low, high];
  }

  axes(format) {
    const { c, box, theme } = this;
    const step = niceStep(this.range[1] - this.range[0], (box.bottom - box.top) / 44);
    c.strokeStyle = theme.grid;
    c.fillStyle = theme.muted;
    c.textBaseline = "middle";
    c.textAlign = "left";
    for (let v = Math.ceil(this.range[0] / step) * step; v <= this.range[1]; v += step) {
      const y = Math.round(this.y(v)) + 0.5;
      this.line(box.left, y, box.right, y);
      c.fillText(format(v), this.axisX ?? box.right + 6, y);
    }
    const minutes = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480].map((m) => m * 60000);
    const wanted = (this.times[1] - this.times[0]) / Math.max(2, (box.right - box.left) / 90);
    const every = minutes.find((m) => m >= wanted) || 86400000;
    c.textBaseline = "top";
    c.textAlign = "center";
    for (let t = Math.ceil(this.times[0] / every) * every; t <= this.times[1]; t += every) {
      const x = Math.round(this.x(t)) + 0.5;
      this.line(x, box.top, x, box.bottom);
      c.fillText(time(t), x, box.bottom + 5);
    }
  }

  line(x1, y1, x2, y2) {
    const { c } = this;
    c.beginPath();
    c.moveTo(x1, y1);
    c.lineTo(x2, y2);
    c.stroke();
  }

  path(ts, values, colour, { width = 1.5, dash = [] } = {}) {
    const { c } = this;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.setLineDash(dash);
    c.beginPath();
    let open = false;
    for (let i = 0; i < ts.length; i++) {
      if (!Number.isFinite(values[i])) { open = false; continue; }
      const x = this.x(ts[i]), y = this.y(values[i]);
      if (open) c.lineTo(x, y); else c.moveTo(x, y);
      open = true;
    }
    c.stroke();
    c.setLineDash([]);
    c.lineWidth = 1;
  }

  mark(x, y, side, colour, { hollow = false, size = 5 } = {}) {
    const { c } = this;
    const tip = side > 0 ? -1 : 1;
    c.beginPath();
    c.moveTo(x, y + tip * size);
    c.lineTo(x - size, y - tip * size);
    c.lineTo(x + size, y - tip * size);
    c.closePath();
    c.strokeStyle = colour;
    c.fillStyle = colour;
    c.lineWidth = 1.5;
    if (hollow) c.stroke(); else c.fill();
    c.lineWidth = 1;
  }

  label(text, x, y, colour, align = "left") {
    const { c } = this;
    c.fillStyle = colour;
    c.textAlign = align;
    c.textBaseline = "middle";
    c.fillText(text, x, y);
  }

  title(text) {
    this.label(text, this.box.left, 9, this.theme.text);
  }

  stamp(text) {
    if (!text) return;
    const { c, width, height, theme } = this;
    c.save();
    c.translate(width / 2, height / 2);
    c.rotate(-0.3);
    c.font = `700 ${Math.max(24, Math.min(96, width / 9, height / 3))}px system-ui, sans-serif`;
    c.fillStyle = theme.stamp;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillText(text, 0, 0);
    c.restore();
    c.font = "11px system-ui, sans-serif";
  }

  crosshair(format) {
    const { c, box, pointer, theme } = this;
    if (!pointer || pointer.x < box.left || pointer.x > box.right || pointer.y < box.top || pointer.y > box.bottom) return null;
    c.strokeStyle = theme.muted;
    c.setLineDash([3, 3]);
    this.line(pointer.x, box.top, pointer.x, box.bottom);
    this.line(box.left, pointer.y, box.right, pointer.y);
    c.setLineDash([]);
    c.fillStyle = theme.line;
    const edge = this.axisX ?? box.right + 6;
    c.fillRect(edge - 4, pointer.y - 8, 60, 16);
    this.label(format(this.y.invert(pointer.y)), edge, pointer.y, theme.text);
    return this.x.invert(pointer.x);
  }

  empty(text) {
    const lines = [""], middle = this.width / 2, room = this.width - 16;
    for (const word of text.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (this.c.measureText(longer).width <= room) lines[lines.length - 1] = longer; else lines.push(word);
    }
    lines.forEach((line, i) => this.label(line, middle, this.height / 2 + (i - (lines.length - 1) / 2) * 16, this.theme.muted, "center"));
  }
}

// Index of the last time at or before ms, -1 before the first.
export function indexAt(ts, ms) {
  let low = 0, high = ts.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (ts[mid] <= ms) low = mid + 1; else high = mid;
  }
  return low - 1;
}

// Puts a canvas into `el` and keeps it drawn. The newest frame wins; frames that come faster are dropped.
export function mount(model, el, draw, describe) {
  const root = document.createElement("div");
  root.className = "mia-view";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  const tip = document.createElement("div");
  tip.className = "mia-tip";
  root.append(canvas, tip);
  el.append(root);
  let wanted = 0, pointer = null, drawn = 0, arrived = performance.now();

  const paint = () => {
    wanted = 0;
    const width = root.clientWidth, height = model.get("height"), ratio = window.devicePixelRatio || 1;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const frame = decode(model.get("header") || {}, model.get("columns"));
    const theme = colours(model.get("palette"));
    root.dataset.theme = theme.dark ? "dark" : "light";
    const age = performance.now() - arrived;
    const stale = frame.live && age > 2000;
    context.globalAlpha = stale ? 0.45 : 1;
    const pen = new Pen(context, width, height, theme, pointer);
    const text = draw(pen, frame);
    context.globalAlpha = 1;
    if (stale) pen.stamp("STALE"); else pen.stamp(frame.stamp);
    if (stale) pen.label(`no new frame for ${Math.round(age / 1000)} s`, pen.box.right, 9, theme.muted, "right");
    tip.textContent = text || "";
    tip.style.visibility = text ? "visible" : "hidden";
    if (text && pointer) {
      const left = pointer.x > width / 2;
      tip.style.left = left ? "" : `${pointer.x + 12}px`;
      tip.style.right = left ? `${width - pointer.x + 12}px` : "";
      tip.style.top = `${Math.max(0, pointer.y - 40)}px`;
    }
    canvas.setAttribute("aria-label", describe ? describe(frame) : "");
    drawn += 1;
    root.dataset.seq = String(frame.seq ?? "");
    root.dataset.drawn = String(drawn);
    root.dataset.age = String(Math.round(age));
    root.dataset.stale = String(Boolean(stale));
  };
  const ask = () => { if (!wanted) wanted = requestAnimationFrame(paint); };
  const fresh = () => { arrived = performance.now(); ask(); };
  const move = (event) => {
    const at = canvas.getBoundingClientRect();
    pointer = { x: event.clientX - at.left, y: event.clientY - at.top };
    ask();
  };
  const leave = () => { pointer = null; ask(); };
  model.on("change:columns", fresh);
  model.on("change:header", fresh);
  model.on("change:height change:palette", ask);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerleave", leave);
  const size = new ResizeObserver(ask);
  size.observe(root);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", ask);
  // JupyterLab hides its page for one frame after it changed the theme: a picture has no width then.
  const lab = new MutationObserver(() => { ask(); setTimeout(ask, 200); });
  lab.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const tick = setInterval(() => { if ((model.get("header") || {}).live) ask(); }, 1000);
  ask();
  return () => {
    clearInterval(tick);
    if (wanted) cancelAnimationFrame(wanted);
    size.disconnect();
    lab.disconnect();
    dark.removeEventListener("change", ask);
    model.off("change:columns", fresh);
    model.off("change:header", fresh);
    model.off("change:height change:palette", ask);
  };
}
