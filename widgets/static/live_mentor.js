// Mentor: what the newest daily page says, with the evidence it stands on and the day it is about.
import { DASH, hosted, make, put, STAMPS } from "./panel.js";

const NONE = "No daily page yet: `mia report daily` makes one after a session.";
const dayOf = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", day: "2-digit", month: "short", year: "numeric" });

export function create(el) {
  const root = make("div", "mia-mentor"), head = make("p", "head"), text = make("p", "text"), evidence = make("p", "evidence");
  head.append(make("span", "title"), make("span", "of"));
  root.append(head, text, evidence);
  el.append(root);
  return {
    update(frame) {
      const said = frame && frame.mentor;
      put(root.querySelector(".title"), said ? said.title : "", said ? said.level : "");
      put(root.querySelector(".of"), said ? [dayOf.format(said.ts / 1e6), STAMPS[said.tag]].filter(Boolean).join(" · ") : "");
      put(text, said ? said.text : frame ? NONE : DASH);
      put(evidence, said && said.evidence ? said.evidence : "");
    },
    close() { root.remove(); },
  };
}

export default hosted("mentor", create);
