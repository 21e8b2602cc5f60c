// The console in a notebook: it talks to the desk server through JupyterLab, never through the kernel.
import { createConsole } from "./console.js";
import { decode } from "./draw.js";

const LOST_MS = 4000, LOOK_MS = 500, ASK_AGAIN_MS = 5000;
const LEAST_PX = 560, ROOM_PX = 12, SETTLE_MS = 4000, ALIGN_MS = 250;

// Without the proxy (VS Code, Colab) frames and the guardian's word come from the kernel: said so, and nothing can be armed.
function fallBack(desk, model, notice) {
  const link = desk.link;
  let lost = performance.now(), asked = -Infinity, fed = false;
  const hear = () => {
    const header = model.get("header") || {};
    if (link.open || !Object.keys(header).length) return;
    link.frame = decode(header, model.get("columns"));
    link.frameAt = performance.now();
    desk.show();
  };
  const learn = () => {
    const said = model.get("status") || {};
    if (link.open || !said.number) return;
    link.status = { known: Boolean(said.guardian), age_s: 0, guardian: said.guardian, why: said.why || "the guardian's word came too late" };
    link.statusAt = performance.now();
    desk.show();
  };
  const post = link.command.bind(link);
  link.command = async (name, body) => {
    if (link.open) return post(name, body);
    if (name !== "disarm" && name !== "halt") return { kind: "Refused", reason: "Through the kernel nothing can be armed: open JupyterLab with `mia lab`." };
    model.send({ command: name });
    return { kind: "unknown", text: `${name} was handed to the kernel and waits while a cell runs; the state shows when it is done.` };
  };
  const ask = (frames) => { asked = performance.now(); fed = frames; model.send({ frames }); };
  const look = () => {
    const now = performance.now();
    if (link.open) {
      lost = now;
      if (fed) ask(false);
    } else if (now - lost > LOST_MS && link.frameAge() > LOST_MS && now - asked > ASK_AGAIN_MS) ask(true);
    const through = !link.open && now - lost > LOST_MS;
    notice.textContent = !through ? "" : link.frameAge() < LOST_MS
      ? "Through the kernel: commands wait while a cell runs; arming is not possible here."
      : "The desk server cannot be reached here. Start JupyterLab with `mia lab`, and the loop with `mia run`.";
  };
  const timer = setInterval(look, LOOK_MS);
  model.on("change:header", hear);
  model.on("change:status", learn);
  return () => {
    clearInterval(timer);
    model.off("change:header", hear);
    model.off("change:status", learn);
  };
}

// As high as the notebook's page shows at once, so that strip and panels are in view without scrolling; at most `height`.
function fitPage(outer, model) {
  const book = outer.closest(".jp-Notebook"), page = book && (book.querySelector(".jp-WindowedPanel-outer") || book);
  if (!page) return () => {};
  let align = model.get("in_view");
  const fit = () => { outer.style.height = `${Math.min(model.get("height"), Math.max(LEAST_PX, page.clientHeight - ROOM_PX))}px`; };
  const sized = new ResizeObserver(fit);
  sized.observe(page);
  fit();
  // What stands above is still being drawn when this is: aligned again until the page is at rest or a person scrolls.
  const leave = () => { align = false; };
  const timer = setInterval(() => {
    if (align) page.scrollTop += outer.getBoundingClientRect().top - page.getBoundingClientRect().top - ROOM_PX / 2;
  }, ALIGN_MS);
  const settled = setTimeout(() => { leave(); clearInterval(timer); }, SETTLE_MS);
  for (const kind of ["wheel", "pointerdown", "keydown"]) page.addEventListener(kind, leave, { passive: true });
  return () => {
    sized.disconnect();
    clearInterval(timer);
    clearTimeout(settled);
    for (const kind of ["wheel", "pointerdown", "keydown"]) page.removeEventListener(kind, leave);
  };
}

// A click in the console is meant for it: JupyterLab would choose the cell and scroll its top into view.
const NOT_THE_CELLS = ["mousedown", "focusin", "dblclick"];

function render({ model, el }) {
  const outer = document.createElement("div");
  outer.className = "mia-frame";
  for (const kind of NOT_THE_CELLS) outer.addEventListener(kind, (event) => event.stopPropagation());
  outer.style.height = `${model.get("height")}px`;
  const notice = document.createElement("p");
  notice.className = "mia-notice";
  el.append(notice, outer);
  const desk = createConsole(outer, { palette: model.get("palette") });
  const stop = fallBack(desk, model, notice);
  let unfit = () => {};
  const placed = requestAnimationFrame(() => { unfit = fitPage(outer, model); });
  return () => { cancelAnimationFrame(placed); unfit(); stop(); desk.close(); };
}

export default { render };
