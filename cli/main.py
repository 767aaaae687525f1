"""The `holdfast` command: a table of verbs, each imported only when it is called.

Every verb is a click command named `command` in its module, so that `holdfast get pods` imports
what `get` needs and nothing else. Refusals (ApiError and click's own) end as one sentence on
standard error and exit code 1 or 2, never as a traceback.
"""

from __future__ import annotations

import importlib
import sys

import click

from holdfast.cli import programs

# verb: (module below holdfast.cli[:attribute, if not `command`], one line for --help)
VERBS: dict[str, tuple[str, str]] = {
    "annotate": ("verbs.label:annotate", "Set or remove annotations."),
    "api-resources": ("verbs.api_resources", "List the kinds of objects."),
    "apply": ("verbs.apply", "Make objects as files say."),
    "certificate": ("verbs.certificate", "Revoke certificates."),
    "cluster": ("verbs.cluster", "The cluster as a whole: status."),
    "config": ("verbs.config", "Which clusters are known, and which is used."),
    "cordon": ("verbs.node:cordon", "Let no new pods be placed on a node."),
    "create": ("verbs.create", "Create objects from files or flags."),
    "delete": ("verbs.delete", "Delete objects."),
    "diff": ("verbs.edit:diff", "Show what apply would change."),
    "down": ("cluster.down", "Stop the cluster on this machine; with --purge, remove it."),
    "drain": ("verbs.node:drain", "Cordon a node and delete its pods."),
    "edit": ("verbs.edit:edit", "Change an object in your editor."),
    "events": ("verbs.events", "Show what happened."),
    "exec": ("verbs.exec", "Run a command in a container."),
    "expose": ("verbs.expose:expose", "Give a workload an address."),
    "get": ("verbs.get", "Show objects."),
    "label": ("verbs.label:label", "Set or remove labels."),
    "logs": ("verbs.logs", "Print what containers wrote."),
    "patch": ("verbs.patch", "Change fields of one object."),
    "replace": ("verbs.edit:replace", "Write whole objects over those that are there."),
    "rollout": ("verbs.rollout", "Follow, undo, pause and restart a Deployment's rollout."),
    "run": ("verbs.expose:run", "Run one pod."),
    "scale": ("verbs.scale", "Set the number of replicas."),
    "set": ("verbs.set", "Change images, environment or resources."),
    "taint": ("verbs.node:taint", "Set or remove taints of nodes."),
    "token": ("verbs.token", "Join tokens: create, list, revoke."),
    "uncordon": ("verbs.node:uncordon", "Let pods be placed on a node again."),
    "up": ("cluster.up", "Start a cluster on this machine."),
    "version": ("verbs.version", "Show versions."),
    "wait": ("verbs.wait", "Wait until a condition holds."),
}


class Verbs(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted([*VERBS, *programs.PROGRAMS])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name in programs.PROGRAMS:
            return programs.command(name)
        if name not in VERBS:
            return None
        path, _, attribute = VERBS[name][0].partition(":")
        module = importlib.import_module(f"holdfast.cli.{path}")
        found: click.Command = getattr(module, attribute or "command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The help page from the table alone: it imports no verb."""
        lines = {name: text for name, (_module, text) in VERBS.items()} | programs.PROGRAMS
        with formatter.section("Commands"):
            formatter.write_dl(sorted(lines.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run containers on more than one machine. `holdfast up` starts a cluster here."""


def main() -> None:
    """Entry point of the `holdfast` script."""
    from holdfast.api.errors import ApiError

    try:
        cli(prog_name="holdfast")
    except ApiError as error:
        click.echo(f"error: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
