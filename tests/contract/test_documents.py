"""The documents keep up: version, changelog, commands named in them, hooks."""

from __future__ import annotations

import re
import tomllib

import click
import pytest
import yaml

import mia_kernel
from mia_kernel.cli import COMMANDS, mia
from mia_kernel.cli.checks import CHECKS
from tests.contract.project import ROOT

pytestmark = pytest.mark.unit

COMMAND = re.compile(
    r"^\s*(?:\$ )?(?:mia|python -m mia_kernel|python launch_24_7_orderflow_trading\.py)((?: +[^\s#]+)*)",
    re.MULTILINE,
)


def test_version_is_said_once_for_all() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == mia_kernel.__version__


def test_changelog_tells_the_present_version_under_the_four_words() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert mia_kernel.__version__ in versions
    assert set(re.findall(r"^### (\w+)", text, re.MULTILINE)) <= {"Added", "Changed", "Removed", "Fixed"}


def _commands_in(name: str) -> list[list[str]]:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|console|text)?\n(.*?)```", text, re.DOTALL)
    found: list[list[str]] = []
    for line in (line for block in blocks for line in block.splitlines()):
        match = COMMAND.match(line)
        if match:
            launched = ["run"] if "launch_24_7" in line else []
            found.append(launched + match.group(1).split())
    return found


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_the_documents_exist_with_their_options(name: str) -> None:
    commands = _commands_in(name)
    assert commands, "no command found: the pattern or the page is wrong"
    for words in commands:
        command: click.Command = mia
        for word in words:
            if isinstance(command, click.Group) and not word.startswith("-"):
                known = command.list_commands(click.Context(command))
                assert word in known, f"{name}: {' '.join(words)}"
                command = command.get_command(click.Context(command), word) or command
            elif word.startswith("--"):
                options = {o for p in command.params for o in p.opts} | {"--help", "--version"}
                free = command.context_settings.get("ignore_unknown_options", False)
                assert free or word.split("=")[0] in options, f"{name}: {' '.join(words)}"


def test_every_command_explains_itself() -> None:
    for name in COMMANDS:
        command = mia.get_command(click.Context(mia), name)
        assert command is not None
        assert command.help, f"mia {name} has no help"


def test_every_hook_is_a_check_of_the_test_command() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for hook in (hook for repo in config["repos"] for hook in repo["hooks"]):
        assert hook["language"] == "system"
        assert hook["entry"] == f"python -m mia_kernel test --check {hook['id']}"
        assert hook["id"] in CHECKS
