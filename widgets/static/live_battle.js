// Battle Navale: golden rule, balls, pullback and entry zone, and the five timeframes.
import { fixed, hosted, make, put, rows, signed } from "./panel.js";

const RULES = {
  none: "no governing base", bull: "up while no red close is under the green base",
  bear: "down while no green close is over the red base", green_broken: "green base broken", red_broken: "red base broken",
};

function fact() {
  const row = make("div");
  row.append(make("dt"), make("dd"));
  return row;
}

function timeframe() {
  const row = make("tr");
  for (const name of ["tf", "strength", "rule", "balls", "outcome"]) row.append(make("td", name));
  return row;
}

export function create(el) {
  const root = make("div", "mia-battle"), facts = make("dl"), zone = make("div", "mia-zone"), table = make("table");
  zone.append(make("span", "entry"), make("i"));
  zone.title = "pullback into the last swing; the band is the entry zone, 30 to 62 %";
  table.innerHTML = "<thead><tr><th>tf</th><th title='strength in MTF confluence, −1 to +1'>str</th><th>rule</th><th>balls</th><th title='pullback outcome'>out</th></tr></thead><tbody></tbody>";
  root.append(facts, zone, table);
  el.append(root);
  return {
    update(frame) {
      const battle = frame && frame.battle;
      if (!battle) return;
      const now = battle.now, trend = now.ball_trend;
      const side = now.golden_rule === "bull" || now.golden_rule === "red_broken" ? "buy"
        : now.golden_rule === "bear" || now.golden_rule === "green_broken" ? "sell" : "flat";
      const lines = [
        ["score", signed(now.score, 3), now.score > 0 ? "buy" : now.score < 0 ? "sell" : "flat"],
        ["golden rule", `${RULES[now.golden_rule]}${now.golden_rule_strong ? ", strong" : ""}`, side],
        ["balls", now.compression ? "compression: both streaks hold" : trend
          ? `${trend > 0 ? "up" : "down"}, ${trend > 0 ? now.up_streak : now.down_streak} in a row, ${now.maturity}` : "no ball trend",
        trend > 0 ? "buy" : trend < 0 ? "sell" : "flat"],
        ["base", now.base_low === null ? "—" : `${fixed(now.base_low)} – ${fixed(now.base_high)}`, ""],
        ["ball stop", fixed(now.stop), ""],
        ["pullback", now.pullback === null ? "—" : `${fixed(now.pullback * 100, 0)} %${now.in_entry_zone ? ", in the entry zone" : ""}`, ""],
        ["footprint", now.confirms === null ? "—" : now.confirms.length ? `confirms: ${now.confirms.join(", ")}` : "does not confirm", ""],
      ];
      const nodes = rows(facts, lines.length, fact);
      lines.forEach(([name, text, kind], i) => {
        put(nodes[i].querySelector("dt"), name);
        const said = nodes[i].querySelector("dd");
        put(said, text, kind);
        if (said.title !== text) said.title = text; // a low panel cuts it
      });
      zone.querySelector("i").hidden = now.pullback === null;
      if (now.pullback !== null) zone.querySelector("i").style.left = `${Math.max(0, Math.min(1, now.pullback)) * 100}%`;
      const body = rows(table.querySelector("tbody"), battle.timeframes.length, timeframe);
      battle.timeframes.forEach((t, i) => {
        const row = body[i];
        row.dataset.signal = String(t.timeframe === battle.timeframe);
        put(row.querySelector(".tf"), t.timeframe);
        put(row.querySelector(".strength"), signed(t.strength), t.strength > 0 ? "buy" : t.strength < 0 ? "sell" : "flat");
        put(row.querySelector(".rule"), t.golden_rule.replace("_", " "));
        put(row.querySelector(".balls"), t.ball_trend === null ? "—" : t.ball_trend > 0 ? "up" : t.ball_trend < 0 ? "down" : "none");
        put(row.querySelector(".outcome"), signed(t.outcome));
      });
    },
    close() { root.remove(); },
  };
}

export default hosted("battle", create);
