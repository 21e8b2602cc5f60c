// Signals: every wish of the strategy, newest first, allowed or refused, with the sentence that says why.
import { clockOf, fixed, hosted, make, put, rows, words } from "./panel.js";

function row() {
  const item = make("li");
  const head = make("div", "head");
  for (const name of ["time", "side", "grade", "verdict", "prices"]) head.append(make("span", name));
  item.append(head, make("p"));
  return item;
}

export function create(el) {
  const list = make("ol", "mia-signals"), none = make("p", "mia-note", "No signal yet.");
  el.append(none, list);
  return {
    update(frame) {
      const signals = (frame && frame.signals) || [];
      none.hidden = signals.length > 0;
      const items = rows(list, signals.length, row);
      signals.forEach((s, i) => {
        const item = items[i];
        item.dataset.sequence = String(s.sequence);
        put(item.querySelector(".time"), clockOf(s.ts));
        put(item.querySelector(".side"), s.side > 0 ? "LONG" : "SHORT", s.side > 0 ? "buy" : "sell");
        put(item.querySelector(".grade"), `${words(s.grade)} ${fixed(s.percent, 1)} %`);
        put(item.querySelector(".verdict"), s.allowed ? `${s.qty} ES` : "refused", s.allowed ? "allowed" : "refused");
        put(item.querySelector(".prices"), `${fixed(s.entry)}  stop ${fixed(s.stop)}  target ${fixed(s.target)}`);
        put(item.querySelector("p"), s.sentence || words(s.code));
      });
    },
    close() { list.remove(); none.remove(); },
  };
}

export default hosted("signals", create);
