"""`holdfast completion bash|zsh|fish`: the script that makes TAB ask this command.

click's own protocol: the script runs `holdfast` with _HOLDFAST_COMPLETE set, and `cli.completing`
answers.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_HOLDFAST_COMPLETE"
SHELLS = ["bash", "zsh", "fish"]


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script: `source <(holdfast completion bash)`."""
    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "holdfast", VARIABLE).source())
