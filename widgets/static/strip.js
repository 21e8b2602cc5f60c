// The strip: what can be trusted, whether entries are allowed, position, result, health; read from two metres.
import { clockOf, fixed, held, isSimulated, make, put, signed, stampOf, stopKind, words } from "./panel.js";

const CELLS = ["mode", "armed", "price", "position", "pnl"];
const LIGHTS = ["engine", "feed", "guardian", "data", "stop", "ml", "parity"];

const PLAIN = "the engine runs in plain Python, with an hour of history, until it is compiled; then a new session begins compiled, with all of it. How far it is stands in the terminal";

export function createStrip(root, { link, arm, halt }) {
  const bar = make("header", "mia-strip");
  const cell = {}, light = {};
  for (const name of CELLS) {
    cell[name] = make("div", `cell ${name}`);
    cell[name].dataset.cell = name;
    bar.append(cell[name]);
  }
  const health = make("div", "cell health");
  for (const name of LIGHTS) {
    light[name] = make("span", "light");
    light[name].dataset.light = name;
    light[name].append(make("i"), make("span"));
    health.append(light[name]);
  }
  const buttons = make("div", "cell buttons"), armButton = make("button", "arm", "Arm …");
  const disarm = make("button", "disarm", "DISARM"), stop = make("button", "halt", "HALT");
  for (const node of [armButton, disarm, stop]) node.type = "button";
  armButton.title = "opens the sheet that says what becomes possible (a)";
  disarm.title = "no new entries, at once (Esc Esc)";
  stop.title = "cancel, flatten, verify, lock; asks once (h)";
  const said = make("span", "said");
  said.setAttribute("role", "status");
  buttons.append(armButton, disarm, stop);
  bar.append(health, buttons);
  root.append(bar, said);

  const doDisarm = async () => {
    put(said, "DISARM sent");
    said.dataset.kind = "";
    const answer = await link.command("disarm", { reason: "disarm in the browser" });
    const done = answer.kind === "GuardianStatus" && !answer.armed;
    put(said, done ? "" : `DISARM: ${answer.text || answer.reason || "no answer"} The outcome is unknown.`, done ? "" : "alarm");
  };
  disarm.onclick = doDisarm;
  armButton.onclick = () => arm.open();
  stop.onclick = () => halt.open();

  const lamp = (name, kind, text, title) => {
    light[name].dataset.kind = kind;
    put(light[name].querySelector("span"), text);
    light[name].title = title || "";
    light[name].hidden = !text;
  };

  return {
    disarm: doDisarm,
    update(frame, state) {
      const guard = state.guardian;
      showState(cell, guard, frame, state, link);
      armButton.disabled = !guard || guard.armed || guard.trading_state === "halted";
      showMarket(cell, frame, state);
      showMoney(cell, guard, frame);
      showHealth(lamp, guard, frame, state, link);
      bar.dataset.known = String(Boolean(guard));
    },
  };
}

function showState(cell, guard, frame, state, link) {
  const stamp = stampOf(frame), seen = frame && (frame.mode === "live" ? "mode unknown" : frame.mode); // whose account it is only the guardian knows
  const mode = guard ? guard.mode : seen;
  put(cell.mode, [mode ? mode.toUpperCase() : "NO LOOP", stamp].filter((x, i, all) => x && all.indexOf(x) === i).join(" · "), stamp ? "stamped" : "");
  cell.mode.title = frame ? `${frame.source_name}; engine ${frame.code_version}` : "no frame has come yet";
  if (!guard) {
    put(cell.armed, "UNKNOWN", "unknown");
    cell.armed.title = link.why();
    return;
  }
  if (guard.trading_state === "halted") put(cell.armed, "HALTED", "halted");
  else if (guard.armed) {
    const left = guard.armed_until ? Math.max(0, guard.armed_until / 1e6 - Date.now()) / 60000 : null;
    put(cell.armed, `ARMED${guard.venue === "simulated" || guard.mode === "dry-run" ? " · SIMULATED" : ""}${left === null ? "" : ` ${left >= 60 ? `${Math.floor(left / 60)} h ${Math.floor(left % 60)}` : Math.ceil(left)} min`}`, "armed");
  } else put(cell.armed, "DISARMED", "disarmed");
  cell.armed.title = guard.last_reason;
}

function showMarket(cell, frame, state) {
  const price = frame && frame.price;
  const arrow = price && price.change !== null ? (price.change > 0 ? " ▲" : price.change < 0 ? " ▼" : "") : "";
  put(cell.price, frame ? `${frame.contract || frame.symbol} ${fixed(price.last)}${arrow}` : "—",
    state.stale ? "stale" : price && price.change > 0 ? "buy" : price && price.change < 0 ? "sell" : "flat");
  cell.price.title = price && price.ts ? `points, at ${clockOf(price.ts)} New York; ${signed(price.change)} since the previous close` : "";
}

function showMoney(cell, guard, frame) {
  const own = isSimulated(guard) && frame && frame.money;
  const position = guard ? guard.position ?? (own ? own.position : null) : null;
  put(cell.position, !guard || position === null ? "POSITION —" : held(position, own ? own.symbols.join(" + ") : "ES"),
    position > 0 ? "buy" : position < 0 ? "sell" : "flat");
  cell.position.title = own ? "contracts, simulated in the engine" : guard ? "ES contracts (MES a tenth), as the guardian has it from the venue" : "unknown while the guardian does not answer";
  const day = guard ? guard.day_net_usd ?? (own ? own.day_net_usd : null) : null;
  put(cell.pnl, day === null ? "— USD" : `${signed(day)} USD`);
  cell.pnl.title = "result of the day, realised and open, net of fees";
}

function showHealth(lamp, guard, frame, state, link) {
  const age = state.age;
  lamp("engine", "caution", frame && frame.health && frame.health.plain ? "plain Python" : "", PLAIN);
  const latency = frame && frame.health ? frame.health.feed_latency_ms : null;
  lamp("feed", !frame ? "off" : state.stale ? "alarm" : "fine",
    !frame ? "no frame" : state.stale ? `STALE ${Math.round(age / 1000)} s` : latency === null || latency === undefined ? "feed" : `feed ${fixed(latency, 0)} ms`,
    !frame ? link.why() : feedWords(frame, age));
  const beat = guard ? guard.engine_heartbeat_age_s : null;
  lamp("guardian", !guard ? "alarm" : beat !== null && beat < 1 ? "fine" : "caution", "guardian",
    guard ? `engine heard ${fixed(beat, 2)} s ago; ${guard.connected ? "venue connected" : "venue not connected"}, ${guard.reconciled ? "reconciled" : "not reconciled"}` : link.why());
  const quality = frame && frame.health ? frame.health.data_quality : null;
  lamp("data", quality === null || quality === undefined ? "off" : quality >= 0.9 ? "fine" : quality >= 0.7 ? "caution" : "alarm", `data ${fixed(quality)}`,
    "trust in the feed over the last minute, 0 to 1");
  const safe = guard ? guard.protective_stop : null;
  if (isSimulated(guard) && safe === "unknown") {
    const open = frame && frame.money && frame.money.position !== 0;
    lamp("stop", "off", open ? "stop simulated" : "stop not needed", guard.protective_stop_note);
  } else lamp("stop", stopKind(safe),
    safe === null ? "stop unknown" : safe === "not needed" ? "stop not needed" : `stop ${safe}`, (guard && guard.protective_stop_note) || "where the protective stop rests");
  showJudges(lamp, frame);
}

function feedWords(frame, age) {
  const h = frame.health, spent = h.latency;
  return `newest frame ${fixed(age, 0)} ms ago; book ${fixed(h.book_age_ms, 0)} ms old in event time`
    + (h.feed_latency_ms === null || h.feed_latency_ms === undefined ? "; the source tells no delay of its own" : `; rows arrive ${fixed(h.feed_latency_ms, 1)} ms after their own time (median)`)
    + (spent ? `; arrival to decision ${fixed(spent.p50_ms, 1)} ms median, ${fixed(spent.p99_ms, 1)} ms at 99 %` : "")
    + (h.rows_waiting === undefined ? "" : `; ${h.rows_waiting} rows wait`);
}

// Who judges signals, and whether the last session replayed the same.
function showJudges(lamp, frame) {
  const ml = frame && frame.ml, p = ml ? ml.probability : null;
  const known = p !== null && p !== undefined;
  lamp("ml", known ? (ml.on_probation ? "caution" : "fine") : "off", known ? `ml ${fixed(p)}${ml.on_probation ? " on probation" : ""}` : "ml: no opinion",
    !frame ? "no frame" : !ml ? "no model judges signals" : known ? `P(win) the filter ${ml.model} gave the last signal, at ${clockOf(ml.ts)}`
      : `${ml.model}: ${words(ml.reason || ml.off || "no signal has been judged yet")}`);
  const parity = frame && frame.health ? frame.health.parity : null;
  const same = parity && parity[0] === parity[1];
  lamp("parity", !parity || !parity[1] ? "off" : same ? "fine" : "alarm", parity ? `parity ${parity[0]}/${parity[1]}` : "parity —",
    !parity ? "no session before this one has been compared with its replay" : !parity[1] ? "the last session held no decision to compare"
      : same ? "the last session replayed to the same decisions" : "the last session did NOT replay to the same decisions: see its daily page");
}
