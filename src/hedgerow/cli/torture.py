"""`hedgerow torture`: whole simulated worlds full of faults, judged from the venues' side."""

from __future__ import annotations

import json
import os
import sys

import click

from hedgerow.api.codes import Exit
from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note, print_json


@click.command("torture")
@click.option("--seeds", default=1_000, show_default=True, type=click.IntRange(min=1), help="How many worlds.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The first world's seed.")
@click.option("--jobs", default=None, type=click.IntRange(min=1), help="Processes; one for each core when left out.")
@click.option("--trace", is_flag=True, help="Tell one world event by event, on stderr.")
@click.option("--mutants", is_flag=True, help="Put historical mistakes back, and hunt each until something finds it.")
@click.option("--mutant", "names", multiple=True, metavar="NAME", help="Hunt only this one; may be repeated.")
@json_option
def torture_command(
    seeds: int, seed: int, jobs: int | None, trace: bool, mutants: bool, names: tuple[str, ...], as_json: bool
) -> int:
    """Prove the engine in thousands of faulty simulated worlds.

    Exit code: 0 without a violation; 1 with one, and then the command that repeats it is printed. With --mutants:
    0 when each was found.
    """
    if mutants or names:
        return _hunt(names, jobs, as_json)
    from hedgerow.sim import torture

    if trace:
        if seeds != 1:
            raise Failed("HR-002", "--trace tells one world", "add --seeds 1")
        report = torture.run_seed(seed, trace=note)
        violations = [{"rule": each.rule, "text": each.text} for each in report.violations]
        if as_json:
            print_json(
                json.dumps({"schema": "hedgerow.torture_trace/1", "seed": seed, "violations": violations}).encode()
            )
        else:
            for each in violations:
                click.echo(f"{each['rule']}: {each['text']}")
            click.echo(f"seed {seed}: {len(violations)} violations, {report.events} events, {report.crashes} crashes")
        return Exit.BUG if violations else Exit.DONE
    is_shown = sys.stderr.isatty()

    def progress(done: int, asked: int) -> None:
        if is_shown:
            click.echo(f"\r  {done:,} of {asked:,} worlds", nl=done == asked, err=True)

    found = torture.run(seeds, seed, jobs or os.cpu_count() or 1, progress)
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.torture/1", **found.as_json()}, ensure_ascii=False).encode())
    else:
        from rich.console import Console

        found.print(Console(highlight=False))
    return Exit.BUG if found.failures else Exit.DONE


def _hunt(names: tuple[str, ...], jobs: int | None, as_json: bool) -> int:
    from hedgerow.sim import mutants

    for name in names:
        if name not in mutants.MUTANTS:
            import difflib

            near = difflib.get_close_matches(name, mutants.MUTANTS, 1)
            help_ = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(mutants.MUTANTS)}"
            raise Failed("HR-002", f"there is no mutant '{name}'", help_)

    def progress(hunt: mutants.Hunt) -> None:
        if sys.stderr.isatty():
            note(f"  {hunt.name} {'killed' if hunt.killed else 'SURVIVED'}")

    found = mutants.run(jobs or os.cpu_count() or 1, progress, names or None)
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.mutants/1", **found.as_json()}, ensure_ascii=False).encode())
    else:
        from rich.console import Console

        found.print(Console(highlight=False))
    return Exit.DONE if found.killed == len(found.hunts) else Exit.BUG
