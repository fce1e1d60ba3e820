"""All commands by name, loaded only when they are called, and what becomes of their errors."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from hedgerow import __version__

# Name -> (module, what it does in a line). The line stands here so that --help loads none of the modules.
COMMANDS = {
    "demo": ("demo", "Watch hedges being kept on simulated venues, through faults."),
    "init": ("init", "Write a first config from a template."),
    "doctor": ("doctor", "Check keys, permissions, clock, instruments, streams and disk."),
    "run": ("run", "Run the books of a config."),
    "status": ("status", "Show every book: legs, residual, P&L, holds, alarms."),
    "positions": ("status", "Show every leg with its cost and P&L."),
    "orders": ("status", "Show the orders that work now."),
    "explain": ("explain", "Show why an order, fill or hold came to be."),
    "freeze": ("operate", "Let nothing add risk; hedges and exits go on."),
    "flatten": ("operate", "Bring every leg of a book to zero, verified."),
    "halt": ("operate", "Send no orders at all, no hedges either; what works is canceled."),
    "resume": ("operate", "Lift a freeze or a halt."),
    "signal": ("operate", "Tell a book's policy to enter."),
    "config": ("config", "Check, show and compare configs."),
    "journal": ("journal", "Verify and export the journal."),
    "backtest": ("backtest", "Run the books of a config over recorded markets."),
    "sweep": ("sweep", "Backtest a config with many values of its parameters."),
    "data": ("data", "Make and list market data files for backtests."),
    "report": ("report", "Draw and compare the results of backtests."),
    "torture": ("torture", "Prove the engine in thousands of faulty simulated worlds."),
    "scenario": ("scenario", "Run stories in plain text on the real core."),
    "emulate": ("emulate", "Play a venue on loopback, behind its own wire protocol."),
    "completion": ("completion", "Print the shell's completion script."),
    "version": ("version", "Print the version."),
}


class _Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hedgerow.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command), cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, 1)
            ctx.fail(f"there is no command '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="In a checkout also: ./hr test (quick tests), ./hr check (format, lint, types, tests), ./hr bench (speed).",
)
@click.version_option(__version__, prog_name="hedgerow", message="%(prog)s %(version)s")
def hedgerow() -> None:
    """hedgerow keeps positions hedged: when one leg fills, the other follows.

    Results go to stdout, notes to stderr; every command takes --json.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code; whatever goes wrong is told in one line."""
    try:
        if "_HEDGEROW_COMPLETE" in os.environ:
            hedgerow.main(list(arguments), prog_name="hedgerow")
        # Not by `main`, which would answer a reader that went away with our exit code for a bug.
        with hedgerow.make_context("hedgerow", list(arguments)) as context:
            result = hedgerow.invoke(context)
        code = result if isinstance(result, int) else 0
    except BrokenPipeError:
        _discard_output()
        return 0
    # The one place for everything that no command expects: it is told, never swallowed.
    except BaseException as error:
        from hedgerow.cli.errors import told

        return told(error, arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        from hedgerow.cli.errors import told

        _discard_output()
        return told(OSError(error.errno, error.strerror, "the output"), arguments)
    return code


def _discard_output() -> None:
    """Nobody takes our output any more (`| head`, a full disk). Nothing can be told there, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
