"""Speak: the commands of the terminal, thin. Each command's module is imported when it runs."""

from __future__ import annotations

import difflib
import errno
import importlib
import sys
from collections.abc import Sequence

import click

import mia_kernel
from mia_kernel.core.errors import MiaError

# name -> module, function in it, one line for `mia --help`
COMMANDS = {
    "run": ("mia_kernel.cli.run", "run", "the trading loop: synthetic market by default, simulated fills"),
    "lab": ("mia_kernel.cli.lab", "lab", "JupyterLab on the live desk, with a dry-run loop behind it"),
    "monitor": ("mia_kernel.cli.lab", "monitor", "the monitor page alone: frames, commands, figures"),
    "replay": (
        "mia_kernel.cli.replay",
        "replay",
        "the whole engine over recorded events, as fast as possible",
    ),
    "import": ("mia_kernel.cli.data", "import_", "files into the catalog, with a data-quality verdict each"),
    "data": ("mia_kernel.cli.data", "data", "what the catalog holds: ls, health, show, backup, export"),
    "options": ("mia_kernel.cli.options", "options", "option chains: gamma levels, surface, ratios"),
    "journal": ("mia_kernel.cli.journal", "journal", "verify, tail or export a journal"),
    "report": (
        "mia_kernel.cli.report",
        "report",
        "self-contained pages: a day, a week, a trade; their index",
    ),
    "gateway": (
        "mia_kernel.cli.gateway",
        "gateway",
        "a simulated IB Gateway on loopback; ctl makes it misbehave",
    ),
    "schedule": (
        "mia_kernel.cli.schedule",
        "schedule",
        "the pages at their times, each once; made up for after downtime",
    ),
    "alerts": (
        "mia_kernel.cli.alerts",
        "alerts",
        "watch, list and acknowledge what needs attention; test channels",
    ),
    "train": (
        "mia_kernel.cli.train",
        "train",
        "the ML filter: labelled signals, purged CV, calibration, registry",
    ),
    "validate": ("mia_kernel.cli.train", "validate", "a trained model: is it whole, what is it worth"),
    "config": ("mia_kernel.cli.config", "config", "effective settings with origin and unit; check; diff"),
    "doctor": ("mia_kernel.cli.doctor", "doctor", "health of environment, data, disk, clock, with remedies"),
    "status": ("mia_kernel.cli.control", "status", "how things stand at the guardian"),
    "arm": ("mia_kernel.cli.control", "arm", "allow entries: phrase, account, one-time code"),
    "disarm": ("mia_kernel.cli.control", "disarm", "allow only what reduces exposure"),
    "halt": ("mia_kernel.cli.control", "halt", "kill switch: cancel, flatten, verify, lock"),
    "resume": ("mia_kernel.cli.control", "resume", "lift a halt, with a reason"),
    "drill": ("mia_kernel.cli.drill", "drill", "rehearse losing link, gateway and guardian"),
    "bench": ("mia_kernel.cli.bench", "bench", "the figures of docs/performance.md on this machine"),
    "test": ("mia_kernel.cli.test", "test", "every check and every test"),
}


class Commands(click.Group):
    """Looks a command up by name and loads its module only then, so that `--help` starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, or None for a name that does not exist."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        return getattr(importlib.import_module(module), function)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where the given one does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(COMMANDS)
            raise click.UsageError(f"no such command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the one-liners from the table, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, _, help_) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mia_kernel.__version__, prog_name="mia")
def mia() -> None:
    """Read the E-mini S&P 500 order flow, decide, simulate, explain.

    Exit codes: 0 done, 1 the answer is no, 2 bad input, 3 the outside world failed.
    """


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    return answered(mia, arguments)


def answered(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; what went wrong is said in one line."""
    try:
        return int(command.main(list(arguments), prog_name="mia", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return 1
    except MiaError as error:
        print(f"mia: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        return _outside(error)


def _outside(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # the reader of a pipe has seen enough
        return 0
    print(f"mia: {error}", file=sys.stderr)
    missing = error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)
    return 2 if missing else 3
