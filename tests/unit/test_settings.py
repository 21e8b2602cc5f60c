"""Layers of settings: which one wins, what is refused and how it is said, what counts into the id."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mia_kernel.core.errors import SettingsError
from mia_kernel.settings import PROFILES, Settings, line_of, load, read_profile, settings_id, unit_of

pytestmark = pytest.mark.unit

ABSENT = Path("no.env")
KEY = "execution.simulator.queue_levels"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("MIA_") and name != "MIA_SHARED_DATA"]:
        monkeypatch.delenv(name)


def _profile(folder: Path, text: str) -> Path:
    path = folder / "test.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PROFILES)
def test_shipped_profiles_are_valid(name: str) -> None:
    assert load(name, env_file=ABSENT).settings.profile == name


def test_every_layer_covers_the_one_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = _profile(tmp_path, "[execution.simulator]\nqueue_levels = 6\n")
    env_file = tmp_path / ".env"
    env_file.write_text("")

    def interval(**more: object) -> tuple[int, str]:
        loaded = load(profile_file=profile, env_file=env_file, **more)  # type: ignore[arg-type]
        return loaded.settings.execution.simulator.queue_levels, loaded.origins[KEY]

    assert load(env_file=ABSENT).settings.execution.simulator.queue_levels == 5
    assert interval() == (6, "profile development")
    env_file.write_text("MIA_EXECUTION__SIMULATOR__QUEUE_LEVELS=7\n")
    assert interval() == (7, ".env")
    monkeypatch.setenv("MIA_EXECUTION__SIMULATOR__QUEUE_LEVELS", "8")
    assert interval() == (8, "environment")
    assert interval(arguments={KEY: "9"}) == (9, "argument")


def test_an_unknown_key_in_a_profile_is_refused_with_file_and_line(tmp_path: Path) -> None:
    profile = _profile(tmp_path, "# differences\n[execution.simulator]\nqueue_level = 6\n")
    with pytest.raises(SettingsError) as refusal:
        load(profile_file=profile, env_file=ABSENT)
    error = refusal.value
    assert (error.path, error.line, error.field) == (str(profile), 3, "execution.simulator.queue_level")
    assert "queue_levels" in str(error)


def test_a_value_outside_its_rule_names_value_rule_and_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_EXECUTION__SIMULATOR__QUEUE_LEVELS", "0")
    with pytest.raises(
        SettingsError, match=r"execution.simulator.queue_levels = '0'.*greater than.*from environment"
    ):
        load(env_file=ABSENT)


@pytest.mark.parametrize("name", ["MIA_EXECUTIO__X", "MIA_EXECUTION__SIMULATOR__QUEUE", "MIA_HOMEE"])
def test_an_unknown_variable_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match="unknown"):
        load(env_file=ABSENT)


@pytest.mark.parametrize("line", ["MIA_EXECUTIO__X=1", "MIA_EXECUTION__SIMULATOR__QUEUE=1"])
def test_an_unknown_key_in_the_env_file_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(line + "\n")
    with pytest.raises(SettingsError, match="unknown"):
        load(env_file=tmp_path / ".env")


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_of_secrets_that_others_may_read_is_refused_without_showing_them(
    mode: int, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("MIA_SECRETS__DISCORD_WEBHOOK=https://example.org/a-secret\n")
    env_file.chmod(mode)
    with pytest.raises(SettingsError, match="0600") as refused:
        load(env_file=env_file)
    assert "a-secret" not in str(refused.value)
    env_file.chmod(0o600)
    assert load(env_file=env_file).settings.secrets.discord_webhook is not None


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_a_file_without_secrets_may_be_read_by_others(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("MIA_EXECUTION__SIMULATOR__QUEUE_LEVELS=7\n")
    env_file.chmod(0o644)
    assert load(env_file=env_file).settings.execution.simulator.queue_levels == 7


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(SettingsError, match="unknown setting"):
        load(env_file=ABSENT, arguments={"execution.speed": "1"})


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="development, paper, staging, production"):
        load("prodution", env_file=ABSENT)


def test_a_broken_file_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a TOML file"):
        read_profile(_profile(tmp_path, "[execution\n"))
    with pytest.raises(SettingsError, match="no such profile file"):
        read_profile(tmp_path / "absent.toml")


@pytest.mark.safety
def test_a_secret_in_a_profile_is_refused(tmp_path: Path) -> None:
    profile = _profile(tmp_path, '[secrets]\ndiscord_webhook = "canary-4711"\n')
    with pytest.raises(SettingsError, match="a secret in a file") as refusal:
        load(profile_file=profile, env_file=ABSENT)
    assert "canary" not in str(refusal.value)


@pytest.mark.safety
def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_SECRETS__DISCORD_WEBHOOK", "canary-4711")
    loaded = load(env_file=ABSENT)
    shown = [repr(loaded), str(loaded.settings), loaded.settings.model_dump_json(), str(loaded.values())]
    assert not [text for text in shown if "canary" in text]
    assert loaded.settings.secrets.discord_webhook is not None
    assert loaded.settings.secrets.discord_webhook.get_secret_value() == "canary-4711"


def test_the_id_follows_decisions_and_not_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = settings_id(load(env_file=ABSENT).settings)
    monkeypatch.setenv("MIA_HOME", str(tmp_path))
    monkeypatch.setenv("MIA_SECRETS__DISCORD_WEBHOOK", "canary-4711")
    assert settings_id(load("paper", env_file=ABSENT).settings) == first
    changed = load(env_file=ABSENT, arguments={KEY: 6}).settings
    assert settings_id(changed) != first


def test_a_relative_home_is_made_absolute_and_an_empty_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = load(env_file=ABSENT).settings.home
    monkeypatch.setenv("MIA_HOME", "somewhere")
    assert load(env_file=ABSENT).settings.home == Path("somewhere").absolute()
    monkeypatch.setenv("MIA_HOME", "")
    assert load(env_file=ABSENT).settings.home == usual


def test_staging_rehearses_exactly_what_production_runs() -> None:
    staging, production = (load(name, env_file=ABSENT).settings for name in ("staging", "production"))
    assert settings_id(staging) == settings_id(production)
    assert production.risk.gates.ml_mode == "require"


def test_home_moves_data_journal_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIA_HOME", str(tmp_path))
    settings = load(env_file=ABSENT).settings
    assert settings.journal_folder == tmp_path / "data" / "journal"
    assert settings.reports_folder == tmp_path / "reports"
    assert settings.journals() == []


@pytest.mark.parametrize(
    ("path", "meaning", "unit"),
    [
        ("risk.daily_loss_usd", "", "USD"),
        ("risk.stop_ticks", "", "ticks"),
        ("risk.orders_per_s", "", "/s"),
        ("engine.decision_interval_s", "", "s"),
        ("home", "folder of data (path)", "path"),
        ("x.usd", "", ""),
    ],
)
def test_units_come_from_the_name_else_from_the_description(path: str, meaning: str, unit: str) -> None:
    assert unit_of(path, meaning) == unit


def test_lines_of_a_profile_are_found(tmp_path: Path) -> None:
    path = _profile(tmp_path, 'top = 1\n[a]\nb = 2  # b\n\n[a.c]\n"d" = 3\n')
    assert [line_of(path, dotted) for dotted in ("top", "a", "a.b", "a.c.d", "a.x")] == [1, 2, 3, 6, None]


def test_every_setting_says_what_it_is_and_every_room_refuses_unknown_keys() -> None:
    silent = [value.path for value in load(env_file=ABSENT).values() if not value.meaning]
    assert silent == []
    for name, field in Settings.model_fields.items():
        config = getattr(field.annotation, "model_config", None)
        if config is not None:
            assert config.get("frozen"), name
            assert config.get("extra") == "forbid", name
