// Decision: grade and coverage, the waterfall of contributions that adds up to the score, why not, what would flip it.
import { clockOf, fixed, hosted, make, put, rows, signed, words } from "./panel.js";

const REASONS = { absent: "this source cannot give it", not_ready: "not known yet", stale: "too old" };

function line() {
  const row = make("li");
  row.append(make("span", "name"), make("span", "track"), make("span", "number"));
  row.querySelector(".track").append(make("i"), make("u"));
  return row;
}

export function create(el) {
  const root = make("div", "mia-decision");
  const head = make("div", "mia-grade"), list = make("ol", "mia-waterfall"), why = make("p", "mia-why");
  const refused = make("details", "mia-refusals");
  refused.append(make("summary"), make("ul"));
  for (const name of ["percent", "grade", "side", "coverage", "time"]) head.append(make("span", name));
  root.append(head, list, why, refused);
  el.append(root);
  return {
    update(frame) {
      const decision = frame && frame.decision;
      root.dataset.sequence = decision ? String(decision.sequence) : "";
      if (!decision) {
        for (const cell of head.children) put(cell, "");
        put(head.querySelector(".percent"), "—");
        put(why, frame ? "No decision yet: the first comes after the warm-up." : "");
        rows(list, 0, line);
        refused.hidden = true;
        return;
      }
      put(head.querySelector(".percent"), `${fixed(decision.percent)} %`);
      put(head.querySelector(".grade"), words(decision.grade), decision.grade === "NO_TRADE" ? "none" : "some");
      put(head.querySelector(".side"), decision.side > 0 ? "LONG" : decision.side < 0 ? "SHORT" : "NO SIDE",
        decision.side > 0 ? "buy" : decision.side < 0 ? "sell" : "flat");
      const under = decision.coverage < decision.coverage_floor;
      put(head.querySelector(".coverage"), `coverage ${fixed(decision.coverage)}`, under ? "caution" : "");
      head.querySelector(".coverage").title = `share of the ${decision.weights} weights whose components are known; floor ${fixed(decision.coverage_floor)}`;
      put(head.querySelector(".time"), clockOf(decision.ts));
      waterfall(list, decision);
      put(why, decision.why_not);
      if (why.title !== decision.why_not) why.title = decision.why_not; // a low panel shows two lines of it
      refused.hidden = !decision.refusals.length;
      put(refused.querySelector("summary"), `${decision.refusals.length} gates failed`);
      const items = rows(refused.querySelector("ul"), decision.refusals.length, () => make("li"));
      decision.refusals.forEach((r, i) => put(items[i], `${words(r.code)}: ${r.sentence}`, r.level));
    },
    close() { root.remove(); },
  };
}

function waterfall(list, decision) {
  const parts = decision.contributions;
  let at = 0, low = 0, high = 0;
  const spans = parts.map((p) => {
    const from = at;
    at += p.contribution;
    low = Math.min(low, at);
    high = Math.max(high, at);
    return [from, at];
  });
  const reach = Math.max(0.1, -low, high), place = (x) => 50 + (x / reach) * 48;
  const lines = rows(list, parts.length + 1, line);
  list.style.setProperty("--half", String(Math.max(1, Math.ceil(parts.length / 2))));
  parts.forEach((p, i) => {
    const row = lines[i], [from, to] = spans[i], bar = row.querySelector("i");
    put(row.querySelector(".name"), words(p.name));
    row.dataset.status = p.status;
    row.dataset.total = "false";
    row.title = p.status === "ok" ? `value ${signed(p.value, 3)} × weight ${fixed(p.weight, 4)} = ${signed(p.contribution, 4)}`
      : `${words(p.status)}: ${REASONS[p.status] || ""}; weight ${fixed(p.weight, 4)}`;
    put(row.querySelector(".number"), p.status === "ok" ? signed(p.contribution, 3) : words(p.status));
    bar.style.left = `${Math.min(place(from), place(to))}%`;
    bar.style.width = `${Math.abs(place(to) - place(from))}%`;
    bar.dataset.kind = p.contribution > 0 ? "buy" : p.contribution < 0 ? "sell" : "flat";
  });
  const total = lines[parts.length], bar = total.querySelector("i");
  put(total.querySelector(".name"), "score");
  put(total.querySelector(".number"), signed(decision.score, 4));
  total.dataset.total = "true";
  total.dataset.status = "ok";
  total.title = "the sum of the contributions, from −1 to +1";
  bar.style.left = `${Math.min(50, place(decision.score))}%`;
  bar.style.width = `${Math.abs(place(decision.score) - 50)}%`;
  bar.dataset.kind = "total";
}

export default hosted("decision", create);
