// Arming, halting and the key sheet. Nothing here keeps a state: the guardian's answer is shown as it comes.
import { clockOf, fixed, make, put, rows } from "./panel.js";

// What a person weighs before arming: how much, how much may be lost, how often.
const WEIGHED = { max_position: ["at most", "ES contracts"], open_risk: ["at risk at most", "USD"], daily_loss: ["loss of a day at most", "USD"], trades_per_day: ["trades a day at most", ""] };

function sheet(root, name, title) {
  const box = make("dialog", "mia-sheet");
  box.dataset.sheet = name;
  box.setAttribute("aria-label", title);
  box.append(make("h2", "", title));
  root.append(box);
  return box;
}

function field(label, name, type = "text") {
  const wrap = make("label");
  const input = make("input");
  input.name = name;
  input.type = type;
  input.autocomplete = "off";
  input.spellcheck = false;
  wrap.append(make("span", "", label), input);
  return wrap;
}

function button(text, kind) {
  const node = make("button", kind, text);
  node.type = "button";
  return node;
}

// What waits to be seen speaks against arming: it is read and acknowledged here, where the refusal is met.
function unseen(link) {
  const list = make("ul", "unseen");
  const show = () => {
    const said = link.guardian(), waiting = said ? said.alerts.filter((a) => a.level === "critical" && !a.acknowledged) : [];
    const items = rows(list, waiting.length, () => {
      const item = make("li");
      item.append(make("span", "text"), button("Seen", "seen"));
      return item;
    });
    waiting.forEach((alert, i) => {
      put(items[i].querySelector(".text"), `${clockOf(alert.ts)} ${alert.text}`);
      items[i].querySelector(".seen").onclick = () => link.command("acknowledge", { alert_id: alert.alert_id });
    });
  };
  link.on(show);
  return { list, show };
}

function weighed(limits) {
  return Object.entries(WEIGHED).filter(([name]) => limits[name] && limits[name].limit !== null)
    .map(([name, [says, unit]]) => `, ${says} ${fixed(Math.abs(limits[name].limit), 0)}${unit && ` ${unit}`}`).join("");
}

export function armSheet(root, link) {
  const box = sheet(root, "arm", "Arm"), allows = make("p", "allows"), first = make("form"), second = make("form");
  const phrase = field("phrase", "phrase"), account = field("account", "account"), code = field("code", "code");
  const ask = button("Ask for a code", "primary"), confirm = button("Arm", "primary arm"), back = button("Close", "");
  const shown = make("p", "code"), left = make("p", "left"), note = make("p", "said");
  const waiting = unseen(link);
  note.setAttribute("role", "status");
  first.append(phrase, account, ask);
  second.append(shown, left, code, confirm);
  box.append(allows, waiting.list, first, second, note, back);
  let timer = 0;

  const restart = (text) => {
    clearInterval(timer);
    first.hidden = false;
    second.hidden = true;
    put(note, text || "");
    for (const input of box.querySelectorAll("input")) input.value = "";
  };
  const count = (until) => {
    clearInterval(timer);
    timer = setInterval(() => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      put(left, `valid for ${Math.max(0, seconds)} s`);
      if (seconds <= 0) restart("The code has expired. Nothing is armed.");
    }, 200);
  };
  first.onsubmit = async (event) => {
    event.preventDefault();
    ask.disabled = true;
    const said = await link.command("arm", { phrase: phrase.lastChild.value, account: account.lastChild.value });
    ask.disabled = false;
    if (said.kind !== "Challenge") return put(note, said.reason || said.text || "refused");
    first.hidden = true;
    second.hidden = false;
    put(allows, `What becomes possible: ${said.allows}.`);
    put(shown, said.code || "The code is shown in the terminal: `mia arm` reveals it.");
    put(note, "");
    count(performance.now() + said.expires_s * 1000);
    code.lastChild.focus();
  };
  second.onsubmit = async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    const said = await link.command("confirm", { code: code.lastChild.value.trim() });
    confirm.disabled = false;
    if (said.kind === "GuardianStatus" && said.armed) { box.close(); return restart(); }
    put(note, said.reason || said.text || "Not armed.");
  };
  ask.type = confirm.type = "submit";
  back.onclick = () => { restart(); box.close(); };
  box.addEventListener("cancel", () => restart());
  restart();
  return {
    open() {
      if (box.open) return;
      const said = link.guardian();
      restart();
      if (!said) put(allows, `The state is UNKNOWN: ${link.why()}. Nothing can be armed.`);
      else {
        put(allows, `Arming lets MIA open positions by itself: ${said.mode}, account ${said.account}${weighed(said.limits)}. `
          + `It lapses with the session, a restart, a lost link or degraded data. Type the phrase${said.phrase ? ` “${said.phrase}”` : ""} and the account.`);
      }
      waiting.show();
      ask.disabled = !said;
      box.showModal();
      phrase.lastChild.focus();
    },
  };
}

export function haltSheet(root, link) {
  const box = sheet(root, "halt", "Halt"), text = make("p", "", "Cancels every order, flattens the position, verifies it with the venue, and locks. Trading goes on only after a person resumes it with a reason.");
  const yes = button("HALT now", "danger"), no = button("Back", ""), steps = make("ol", "steps"), note = make("p", "said");
  note.setAttribute("role", "status");
  box.append(text, steps, note, yes, no);
  let began = 0, seen = {};

  const step = (name, words) => {
    if (seen[name]) return;
    seen[name] = true;
    steps.append(make("li", "", `${words}  +${((performance.now() - began) / 1000).toFixed(2)} s`));
  };
  const look = () => {
    const said = link.guardian();
    if (!box.open || !began || !said) return;
    if (said.working_orders === 0) step("cancelled", "no order is working");
    if (said.position === 0) step("flat", "flat, as the venue says");
    if (said.trading_state === "halted") step("locked", "locked: HALTED");
  };
  yes.onclick = async () => {
    yes.disabled = true;
    began = performance.now();
    step("sent", "sent");
    const said = await link.command("halt", { reason: "halt in the browser" });
    if (said.kind === "GuardianStatus") { step("heard", "the guardian has it"); look(); put(no, "Close"); }
    else {
      put(note, `${said.text || said.reason || "no answer"} The outcome is unknown: use \`mia halt\` or the broker's own screen.`);
      yes.disabled = false;
    }
  };
  no.onclick = () => box.close();
  link.on(look);
  return {
    open() {
      if (box.open) return;
      began = 0;
      seen = {};
      steps.replaceChildren();
      put(note, "");
      put(no, "Back");
      yes.disabled = false;
      box.showModal();
      yes.focus();
    },
  };
}

export const KEYS = [
  ["?", "these keys"], ["Esc Esc", "DISARM, at once"], ["h", "HALT, asks once"], ["a", "arm"],
  ["1 … 5", "timeframe 1m 5m 15m 1h 4h"], ["p", "colours: classic or colour-blind safe"], ["t", "dark or light"],
];

export function keySheet(root) {
  const box = sheet(root, "keys", "Keys"), list = make("dl");
  for (const [key, does] of KEYS) list.append(make("dt", "", key), make("dd", "", does));
  const close = button("Close", "");
  close.onclick = () => box.close();
  box.append(list, close);
  return { open() { if (!box.open) box.showModal(); } };
}
