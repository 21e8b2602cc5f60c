// The console in a notebook: it talks to the desk server through JupyterLab, never through the kernel.
import { createConsole } from "./console.js";
import { decode } from "./draw.js";

const LOST_MS = 4000;

// Without the proxy (VS Code, Colab) frames come from the kernel: said so, and nothing can be armed.
function fallBack(desk, model, notice) {
  const link = desk.link;
  const take = () => {
    const header = model.get("header") || {};
    if (link.open || !Object.keys(header).length) return;
    link.frame = decode(header, model.get("columns"));
    link.frameAt = performance.now();
    const said = model.get("status") || {};
    link.status = { known: Boolean(said.mode), age_s: 0, guardian: said, why: "no word of the guardian came through the kernel" };
    link.statusAt = performance.now();
    desk.show();
  };
  const post = link.command.bind(link);
  link.command = async (name, body) => {
    if (link.open) return post(name, body);
    if (name !== "disarm" && name !== "halt") return { kind: "Refused", reason: "Through the kernel nothing can be armed: open JupyterLab with `mia lab`." };
    model.send({ command: name });
    return { kind: "unknown", text: `${name} was handed to the kernel and waits while a cell runs.` };
  };
  const look = () => {
    const through = !link.open && performance.now() - began > LOST_MS;
    notice.textContent = !through ? "" : Object.keys(model.get("header") || {}).length
      ? "Through the kernel: commands wait while a cell runs; arming is not possible here."
      : "The desk server cannot be reached here. Start JupyterLab with `mia lab`, and the loop with `mia run`.";
  };
  const began = performance.now(), timer = setInterval(look, 500);
  model.on("change:header", take);
  return () => { clearInterval(timer); model.off("change:header", take); };
}

function render({ model, el }) {
  const outer = document.createElement("div");
  outer.className = "mia-frame";
  outer.style.height = `${model.get("height")}px`;
  const notice = document.createElement("p");
  notice.className = "mia-notice";
  el.append(notice, outer);
  const desk = createConsole(outer, { palette: model.get("palette") });
  const stop = fallBack(desk, model, notice);
  return () => { stop(); desk.close(); };
}

export default { render };
