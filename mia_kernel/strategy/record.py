"""What a strategy is told, remembers and answers, as compiled records."""

from __future__ import annotations

import numpy as np

from mia_kernel.state.ledger import LEGS

RULE_BOTH, RULE_BATTLE, RULE_CONFLUENCE = range(3)
CARE_NONE, CARE_TRAIL, CARE_CLOSE = range(3)

PARAMETER_DTYPE = np.dtype(
    [
        ("rule", np.int64),
        ("min_grade", np.int64),
        ("stop_trend_ticks", np.float64),
        ("stop_range_ticks", np.float64),
        ("stop_default_ticks", np.float64),
        ("strong_base_quality", np.float64),
        ("strong_base_factor", np.float64),
        ("base_gap_ticks", np.int64),
        ("reward_trend", np.float64),
        ("reward_range", np.float64),
        ("reward_default", np.float64),
        ("extended_target_factor", np.float64),
        ("trail", np.int64),
        ("trail_gap_ticks", np.int64),
        ("exit_on_ball_break", np.int64),
    ],
    align=True,
)

TABLE_DTYPE = np.dtype([("threshold", np.float64), ("stop", np.float64), ("target", np.float64)], align=True)
"""By volatility regime."""

MEMORY_DTYPE = np.dtype(
    [
        ("side", np.int64),  # side on which the rule was true at the last decision
        ("closing", np.int64, (LEGS,)),  # brackets whose close was sent, by leg
    ],
    align=True,
)

ANSWER_DTYPE = np.dtype(
    [
        ("rule_side", np.int64),
        ("battle_side", np.int64),
        ("edge", np.int64),  # ±1 at the decision at which the rule became true
        ("entry_ticks", np.int64),
        ("stop_ticks", np.int64),
        ("target_ticks", np.int64),
        ("strength", np.float64),
        ("confidence", np.float64),
        ("score", np.float64),
        ("threshold", np.float64),
        ("care", np.int64, (LEGS,)),
        ("care_key", np.int64, (LEGS,)),
        ("care_stop", np.int64, (LEGS,)),
    ],
    align=True,
)
