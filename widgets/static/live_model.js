// Model: who judges signals, what it said of the last one, and how what it said has turned out so far.
import { canvasPanel, clockOf, DASH, fixed, hosted, make, put, words } from "./panel.js";

const NOBODY = "No model judges here: signals pass on confluence and gates alone. `mia train` makes a candidate.";
const FACTS = ["model", "last signal", "agreement", "answered", "answers take", "calibration", "drift", "trained"];
const dayOf = new Intl.DateTimeFormat("en-GB", { timeZone: "America/New_York", day: "2-digit", month: "short", year: "numeric" });

// Where the model is silent the reason stands in place of the number.
const orWhy = (ml, text) => (ml.probability === null ? `no opinion: ${words(ml.reason || ml.off || "no signal yet")}` : text);

function facts(ml) {
  const ended = ml.closed ? `${ml.closed} closed: ${fixed(ml.expected_wins, 1)} wins expected, ${ml.wins} came${ml.closed < 30 ? " (too few)" : ""}` : "no trade has closed under it";
  return {
    model: `${ml.model}${ml.on_probation ? ", on probation: its word counts for nothing" : `, ${words(ml.mode)}`}`,
    "last signal": orWhy(ml, `P(win) ${fixed(ml.probability)}${ml.ml_score === null ? "" : `, score ${fixed(ml.ml_score)}`} at ${clockOf(ml.ts)}`),
    agreement: ml.agreement === null ? DASH : fixed(ml.agreement),
    answered: `${ml.answered} of ${ml.asked} signals`,
    "answers take": ml.answer_us === null || ml.answer_us === undefined ? DASH
      : `${fixed(ml.answer_us, 0)} µs, 99 % within ${fixed(ml.answer_p99_us, 0)} µs${ml.hit_rate === null ? "" : `; ${fixed(100 * ml.hit_rate, 0)} % from the cache`}`,
    calibration: ended,
    drift: ml.drift && ml.drift.length ? ml.drift.join("; ") : "nothing has moved that can be shown",
    trained: ml.trained_at === null ? DASH : `${dayOf.format(ml.trained_at / 1e6)}, trusted until ${dayOf.format(ml.expires_at / 1e6)}`,
  };
}

function drawOpinions(pen, frame) {
  const { c, theme } = pen, said = frame.opinions;
  if (!said || !said.ts.length) { pen.empty("no signal has been judged yet"); return null; }
  const known = [...said.ts].map((ts, i) => [ts, said.probability[i], said.allowed[i]]).filter(([, p]) => Number.isFinite(p));
  if (!known.length) { pen.empty("no opinion on any signal"); return null; }
  pen.box.top = 8;
  pen.frame([said.ts[0] - 1, said.ts[said.ts.length - 1] + 1], 0, 1);
  pen.axes((x) => x.toFixed(1));
  for (const [ts, p, allowed] of known) {
    c.beginPath();
    c.arc(pen.x(ts), pen.y(p), 3, 0, 2 * Math.PI);
    c.fillStyle = c.strokeStyle = theme.text;
    allowed ? c.fill() : c.stroke();
  }
  return "probability of each judged signal; hollow: not traded";
}

export function create(el, ui) {
  const root = make("div", "mia-model"), none = make("p", "mia-note", NOBODY), list = make("dl"), picture = make("div", "picture");
  const cell = {};
  for (const name of FACTS) {
    const row = make("div");
    cell[name] = make("dd");
    row.append(make("dt", "", name), cell[name]);
    list.append(row);
  }
  root.append(none, list, picture);
  el.append(root);
  const canvas = canvasPanel(picture, drawOpinions, ui);
  return {
    update(frame, state = {}) {
      const ml = frame && frame.ml;
      none.hidden = Boolean(ml) || !frame;
      list.hidden = picture.hidden = !ml;
      if (!ml) return;
      const told = facts(ml);
      for (const name of FACTS) put(cell[name], told[name]);
      canvas.update(frame, state);
    },
    close() { canvas.close(); root.remove(); },
  };
}

export default hosted("model", create);
