import numpy as np
import pytest

from mia_kernel.adapters.models import MODEL, STEPS, ModelRegistry, Shadow, serving
from mia_kernel.core.errors import CorruptError, InputError
from mia_kernel.core.events import Carries
from mia_kernel.features.spec import Given
from mia_kernel.ml.ensemble import Filter
from mia_kernel.ml.inputs import EIGHT
from mia_kernel.ml.params import MlParams
from tests.fakes.small_model import ensemble

pytestmark = pytest.mark.unit
GIVEN = Given(Carries())


@pytest.fixture
def registry(tmp_path):
    found = ModelRegistry(tmp_path / "filter")
    found.save("1.0.0", ensemble(), {"card.md": b"# card"}, {"source": "here"}, at_ns=1)
    return found


def test_a_model_comes_back_bit_for_bit(registry):
    before, after = ensemble(), registry.load("1.0.0")
    x = np.random.default_rng(1).normal(0, 1, (50, 2 * len(EIGHT))).astype(np.float32)
    assert (before.evaluate(x) == after.evaluate(x)).all()
    assert after.schema == before.schema
    assert registry.read("1.0.0", "card.md") == b"# card"
    assert after.model_id.startswith("filter-1.0.0-")


def test_a_changed_byte_is_found(registry):
    path = registry.folder / "1.0.0" / MODEL
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match="hash"):
        registry.load("1.0.0")
    registry.move("1.0.0", "shadow", "look", at_ns=2)
    judge = serving(registry.folder.parent, MlParams(), "require", GIVEN)
    assert isinstance(judge, Filter)
    assert judge.off == "damaged"


def test_steps_follow_their_order_and_a_new_champion_retires_the_old(registry):
    with pytest.raises(InputError, match="no such step"):
        registry.move("1.0.0", "champion", "hurry", at_ns=2)
    registry.move("1.0.0", "shadow", "look", at_ns=2)
    registry.move("1.0.0", "champion", "good", at_ns=3)
    assert registry.next_version() == "1.1.0"
    registry.save("1.1.0", ensemble(), {}, {}, at_ns=4)
    registry.move("1.1.0", "shadow", "look", at_ns=5)
    registry.move("1.1.0", "champion", "better", at_ns=6)
    assert registry.states() == {"1.0.0": "retired", "1.1.0": "champion"}
    assert registry.in_state("champion") == "1.1.0"


WAY = {"candidate": (), "shadow": ("shadow",), "champion": ("shadow", "champion"), "retired": ("retired",)}
ALLOWED = {
    ("candidate", "shadow"), ("candidate", "retired"), ("shadow", "champion"), ("shadow", "retired"),
    ("champion", "retired"),
}  # fmt: skip


@pytest.mark.parametrize("before", WAY)
@pytest.mark.parametrize("after", WAY)
def test_every_step_is_allowed_or_refused_and_a_refused_one_leaves_no_trace(registry, before, after):
    for state in WAY[before]:
        registry.move("1.0.0", state, "way", at_ns=2)
    told = (registry.folder / STEPS).read_bytes()
    if (before, after) in ALLOWED:
        registry.move("1.0.0", after, "step", at_ns=3)
        assert registry.states() == {"1.0.0": after}
    else:
        with pytest.raises(InputError, match="no such step"):
            registry.move("1.0.0", after, "step", at_ns=3)
        assert (registry.folder / STEPS).read_bytes() == told
        assert registry.states() == {"1.0.0": before}


def test_who_judges(registry, tmp_path):
    models = registry.folder.parent
    assert serving(models, MlParams(), "require", GIVEN) is None  # a candidate serves nobody
    registry.move("1.0.0", "shadow", "look", at_ns=2)
    assert isinstance(serving(models, MlParams(), "advise", GIVEN), Shadow)
    registry.move("1.0.0", "champion", "good", at_ns=3)
    assert isinstance(serving(models, MlParams(), "advise", GIVEN), Filter)
    assert serving(models, MlParams(), "off", GIVEN) is None
    assert serving(tmp_path / "empty", MlParams(), "require", GIVEN) is None


def test_a_version_is_written_once_and_a_torn_list_is_not_guessed(registry):
    with pytest.raises(InputError, match="written once"):
        registry.save("1.0.0", ensemble(), {}, {}, at_ns=2)
    with pytest.raises(InputError, match="no such model"):
        registry.manifest("9.9.9")
    (registry.folder / STEPS).write_text("{not json\n")
    with pytest.raises(CorruptError, match="steps"):
        registry.states()


def test_nothing_in_a_model_folder_can_run_code(registry):
    data = (registry.folder / "1.0.0" / MODEL).read_bytes()
    assert b"\x80\x04" not in data[:8]
    assert not list(registry.folder.rglob("*.pkl")) + list(registry.folder.rglob("*.joblib"))
