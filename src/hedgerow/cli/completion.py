"""`hedgerow completion`: the script that a shell needs to complete our commands."""

from __future__ import annotations

import json

import click

from hedgerow.cli.show import json_option, print_json


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
def completion_command(shell: str, as_json: bool) -> None:
    """Print the shell's completion script, e.g. `eval "$(hedgerow completion bash)"`."""
    from click.shell_completion import get_completion_class

    from hedgerow.cli.app import hedgerow

    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = kind(hedgerow, {}, "hedgerow", "_HEDGEROW_COMPLETE").source()
    if as_json:
        print_json(json.dumps({"schema": "hedgerow.completion/1", "shell": shell, "script": script}).encode())
    else:
        click.echo(script)
