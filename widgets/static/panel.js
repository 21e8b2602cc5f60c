// What every live panel is: an element with a title that is drawn on the next animation frame, newest frame first.
// A panel is {update(frame, state), close()}; `state` says whether the frame is stale and since when.
import { Pen, colours, decode, timeSeconds } from "./draw.js";

export const DASH = "—";
export const fixed = (x, digits = 2) => (x === null || x === undefined || !Number.isFinite(x) ? DASH : x.toFixed(digits).replace("-", "−"));
export const signed = (x, digits = 2) => (x === null || x === undefined || !Number.isFinite(x) ? DASH
  : `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(x).toFixed(digits)}`);
/** Say a position in contracts; `unit` says of what, for six MES are less than one ES. */
export const held = (position, unit) => (position === 0 ? "FLAT"
  : `${position > 0 ? "LONG" : "SHORT"} ${fixed(Math.abs(position), Number.isInteger(position) ? 0 : 1)} ${unit}`);
export const words = (name) => String(name ?? DASH).replaceAll("_", " ");
export const sideOf = (x) => (x > 0 ? "buy" : x < 0 ? "sell" : "flat");
export const clockOf = (ns) => (ns ? timeSeconds(ns / 1e6) : DASH);
export const STAMPS = { synthetic: "SYNTHETIC", replay: "REPLAY", imported: "REPLAY" };
export const stampOf = (frame) => (frame ? frame.stamp || STAMPS[frame.source_tag] || "" : "");

// In a dry-run the fills are the engine's own: the guardian has no venue to ask, so the frame is the source.
export const isSimulated = (guard) => Boolean(guard && guard.mode === "dry-run");

/** Say how much a protective stop's place is worth: IB holds futures stops itself, which is its rule and no fault. */
export const stopKind = (place) => (place === "resting at venue" || place === "not needed" ? "fine" : place === "held by broker" || place === "unconfirmed" ? "caution" : "alarm");

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function put(node, text, kind) {
  if (node.textContent !== text) node.textContent = text;
  if (kind !== undefined && node.dataset.kind !== kind) node.dataset.kind = kind;
}

// A canvas that fills its element. `draw(pen, frame, ui)` returns the text of the tip, or null.
export function canvasPanel(el, draw, ui = {}) {
  const root = make("div", "mia-canvas");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  const tip = make("div", "mia-tip");
  root.append(canvas, tip);
  el.append(root);
  let wanted = 0, pointer = null, frame = null, state = {};

  const paint = () => {
    wanted = 0;
    const width = root.clientWidth, height = root.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const pen = new Pen(context, width, height, colours(ui.palette), pointer);
    context.globalAlpha = state.stale ? 0.4 : 1;
    const text = frame ? draw(pen, frame, ui) : (pen.empty(state.why || "waiting for the first frame"), null);
    context.globalAlpha = 1;
    pen.stamp(state.stale ? "STALE" : stampOf(frame));
    tip.textContent = text || "";
    tip.style.visibility = text && pointer ? "visible" : "hidden";
    if (text && pointer) {
      const left = pointer.x > width / 2;
      tip.style.left = left ? "" : `${pointer.x + 14}px`;
      tip.style.right = left ? `${width - pointer.x + 14}px` : "";
      tip.style.top = `${Math.max(0, Math.min(height - tip.offsetHeight, pointer.y - 40))}px`;
    }
    root.dataset.seq = String(frame ? frame.seq : "");
    root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
    if (ui.onDrawn) ui.onDrawn(frame);
  };
  const ask = () => { if (!wanted) wanted = requestAnimationFrame(paint); };
  const move = (event) => {
    const at = canvas.getBoundingClientRect();
    pointer = { x: event.clientX - at.left, y: event.clientY - at.top };
    ask();
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerleave", () => { pointer = null; ask(); });
  const size = new ResizeObserver(ask);
  size.observe(root);
  ask();
  return {
    update(next, now = {}) { frame = next; state = now; ask(); },
    redraw: ask,
    describe(text) { if (canvas.getAttribute("aria-label") !== text) canvas.setAttribute("aria-label", text); },
    close() { if (wanted) cancelAnimationFrame(wanted); size.disconnect(); root.remove(); },
  };
}

// Rows that are reused: `rows(parent, n, create)` returns n nodes, never rebuilt.
export function rows(parent, count, create) {
  while (parent.children.length < count) parent.append(create(parent.children.length));
  while (parent.children.length > count) parent.lastElementChild.remove();
  return parent.children;
}

// Puts one panel into a notebook cell, fed by its kernel: anywidget's render for any panel.
export function hosted(name, create) {
  return {
    render({ model, el }) {
      const root = make("div", "mia-live mia-view");
      root.dataset.panel = name;
      root.style.height = `${model.get("height")}px`;
      const body = make("div", "mia-body");
      root.append(body);
      el.append(root);
      const ui = { palette: model.get("palette"), timeframe: model.get("timeframe") || "1m" };
      const panel = create(body, ui);
      let arrived = performance.now(), frame = null;
      const show = () => {
        const age = performance.now() - arrived, stale = Boolean(frame && frame.live && age > 2000);
        root.dataset.stale = String(stale);
        root.dataset.theme = colours().dark ? "dark" : "light";
        root.dataset.seq = String(frame ? frame.seq ?? "" : "");
        root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
        panel.update(frame, { stale, age });
      };
      const fresh = () => {
        const header = model.get("header") || {};
        frame = Object.keys(header).length ? decode(header, model.get("columns")) : null;
        arrived = performance.now();
        show();
      };
      const look = () => {
        Object.assign(ui, { palette: model.get("palette"), timeframe: model.get("timeframe") || "1m" });
        show();
      };
      model.on("change:header", fresh);
      model.on("change:columns", fresh);
      model.on("change:palette", look);
      model.on("change:timeframe", look);
      const tick = setInterval(() => { if (frame && frame.live) show(); }, 1000);
      const lab = new MutationObserver(show);
      lab.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
      fresh();
      return () => {
        clearInterval(tick);
        lab.disconnect();
        for (const event of ["change:header", "change:columns"]) model.off(event, fresh);
        for (const event of ["change:palette", "change:timeframe"]) model.off(event, look);
        panel.close();
      };
    },
  };
}
