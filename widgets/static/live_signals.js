// Signals: every wish of the strategy, newest first, allowed or refused, with the sentence that says why.
import { clockOf, fixed, hosted, make, put, rows, words } from "./panel.js";

// Two lines a signal, so that several are in sight; opened, the whole sentence and the prices.
function row(opened) {
  const item = make("li"), fold = make("details"), line = make("summary"), head = make("div", "head");
  for (const name of ["time", "side", "grade", "verdict", "entry"]) head.append(make("span", name));
  line.append(head, make("p"));
  fold.append(line, make("div", "prices"));
  // Rows are reused as signals move down: what is open belongs to the signal, not to its place.
  line.onclick = (event) => {
    const sequence = item.dataset.sequence;
    event.preventDefault();
    fold.open = !opened.delete(sequence) && Boolean(opened.add(sequence));
  };
  item.append(fold);
  return item;
}

export function create(el) {
  const list = make("ol", "mia-signals"), none = make("p", "mia-note", "No signal yet."), opened = new Set();
  el.append(none, list);
  return {
    update(frame) {
      const signals = (frame && frame.signals) || [];
      none.hidden = signals.length > 0;
      const items = rows(list, signals.length, () => row(opened));
      signals.forEach((s, i) => {
        const item = items[i], sentence = s.sentence || words(s.code);
        item.dataset.sequence = String(s.sequence);
        item.querySelector("details").open = opened.has(item.dataset.sequence);
        put(item.querySelector(".time"), clockOf(s.ts));
        put(item.querySelector(".side"), s.side > 0 ? "LONG" : "SHORT", s.side > 0 ? "buy" : "sell");
        put(item.querySelector(".grade"), `${words(s.grade)} ${fixed(s.percent, 1)} %`);
        put(item.querySelector(".verdict"), s.allowed ? `${s.qty} ES` : "refused", s.allowed ? "allowed" : "refused");
        put(item.querySelector(".entry"), fixed(s.entry));
        const line = item.querySelector("p"), told = sentence.replace(/^Refused: /, "");
        put(line, s.allowed ? sentence : told.charAt(0).toUpperCase() + told.slice(1)); // "refused" stands above it
        if (line.title !== sentence) line.title = sentence;
        put(item.querySelector(".prices"), `entry ${fixed(s.entry)}  stop ${fixed(s.stop)}  target ${fixed(s.target)}`);
      });
    },
    close() { list.remove(); none.remove(); },
  };
}

export default hosted("signals", create);
