import numpy as np
import pytest

from mia_kernel.analytics.edge import edge, overfitting, shrink, sizing_inputs
from mia_kernel.core.orders import RoundTrip
from mia_kernel.risk.params import RiskParams

pytestmark = pytest.mark.unit


def trip(net_usd: float) -> RoundTrip:
    gross = round(net_usd * 100) + 450
    return RoundTrip(
        1, "b", "ES", 1, 1, 0, 0.0, 1, 0.0, "", gross, 450, 0, 0, 3, 70.0, 10_000, None, "morning"
    )


def test_kelly_from_the_lower_bound_is_the_worked_one():
    trips = [trip(120)] * 112 + [trip(-100)] * 88
    found = sizing_inputs(trips, RiskParams())
    assert found["p_lower"] == pytest.approx(0.5018, abs=5e-5)
    assert found["kelly_lower"] == pytest.approx(0.0867, abs=1e-4)
    assert found["share"] == pytest.approx(0.25 * found["kelly_lower"])
    few = sizing_inputs([trip(100)] * 33 + [trip(-100)] * 27, RiskParams())
    assert few["p_lower"] == pytest.approx(0.444, abs=1e-3)
    assert few["share"] == 0.0
    assert sizing_inputs([trip(-100)] * 60, RiskParams())["kelly"] is None


def test_the_shrunk_share_is_the_published_one():
    assert shrink(0.55, 1.0, 200) == pytest.approx(0.669, abs=5e-4)
    assert shrink(0.45, 1.0, 200) == 0.0


def section(n=400, dsr=0.99, low=0.1, high=0.3):
    return {"dsr": dsr, "performance": {"n": n, "expectancy_r_ci": [low, high]}}


def test_the_verdict_needs_everything_at_once():
    beaten, lucky = {"share_at_least": 0.01}, {"share_at_least": 0.4}
    assert edge(section(), {"pbo": 0.1}, beaten) == "supported"
    assert edge(section(n=299), {"pbo": 0.1}, beaten) == "not shown"
    assert edge(section(dsr=0.9), {"pbo": 0.1}, beaten) == "not shown"
    assert edge(section(), {"pbo": 0.5}, beaten) == "not shown"
    assert edge(section(), {"pbo": 0.1}, lucky) == "not shown"
    assert edge(section(low=-0.4, high=-0.1), None, lucky) == "refuted"


def test_tries_that_never_moved_are_no_tries():
    rng = np.random.default_rng(1)
    matrix = np.column_stack([rng.normal(size=200), np.zeros(200)])
    assert overfitting(matrix) is None
    assert overfitting(np.column_stack([matrix, rng.normal(size=200)]))["tries"] == 2
