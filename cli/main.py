"""The `holdfast` command: a table of verbs, each imported only when it is called.

Every verb is a click command named `command` in its module, so that `holdfast get pods` imports
what `get` needs and nothing else. Refusals (ApiError and click's own) end as one sentence on
standard error and an exit code (`cli.failures`), never as a traceback.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from holdfast.cli import programs, session

GC_THRESHOLD = 100_000
"""A command lives for a moment: collecting while it imports costs a tenth of that and frees
nothing."""

# verb: (module below holdfast.cli[:attribute, if not `command`], one line for --help)
VERBS: dict[str, tuple[str, str]] = {
    "annotate": ("verbs.writing.label:annotate", "Set or remove annotations."),
    "api-resources": ("verbs.reading.api_resources", "List the kinds of objects."),
    "apply": ("verbs.writing.apply", "Make objects as files say."),
    "backup": ("verbs.backup", "Back the cluster up: save, inspect, restore."),
    "certificate": ("verbs.access.certificate", "Revoke certificates."),
    "cluster": ("verbs.cluster", "The cluster as a whole: status."),
    "completion": ("verbs.completion", "Print shell completion for bash, zsh or fish."),
    "config": ("verbs.access.config", "Which clusters are known, and which is used."),
    "cordon": ("verbs.nodes.cordon:cordon", "Let no new pods be placed on a node."),
    "create": ("verbs.writing.create", "Create objects from files or flags."),
    "delete": ("verbs.writing.delete", "Delete objects."),
    "describe": ("verbs.reading.describe", "Show objects in full, with their events."),
    "diff": ("verbs.writing.diff", "Show what apply would change."),
    "down": ("cluster.down", "Stop the cluster on this machine; with --purge, remove it."),
    "drain": ("verbs.nodes.drain", "Cordon a node and delete its pods."),
    "edit": ("verbs.writing.edit", "Change an object in your editor."),
    "events": ("verbs.reading.events", "Show what happened."),
    "exec": ("verbs.workloads.exec", "Run a command in a container."),
    "explain": ("verbs.reading.explain", "Show the fields of a kind."),
    "expose": ("verbs.workloads.expose", "Give a workload an address."),
    "get": ("verbs.reading.get", "Show objects."),
    "label": ("verbs.writing.label:label", "Set or remove labels."),
    "logs": ("verbs.workloads.logs", "Print what containers wrote."),
    "member": ("verbs.member", "Control nodes: list, add, remove, promote, transfer."),
    "patch": ("verbs.writing.patch", "Change fields of one object."),
    "recover": ("verbs.recover", "Bring back a cluster that lost most of its control nodes."),
    "replace": ("verbs.writing.replace", "Write whole objects over those that are there."),
    "rollout": ("verbs.workloads.rollout", "Follow, undo, pause and restart a rollout."),
    "run": ("verbs.workloads.run", "Run one pod."),
    "scale": ("verbs.workloads.scale", "Set the number of replicas."),
    "set": ("verbs.workloads.set", "Change images, environment or resources."),
    "store": ("verbs.store", "Move the cluster's state between its own store and etcd."),
    "taint": ("verbs.nodes.taint", "Set or remove taints of nodes."),
    "token": ("verbs.access.token", "Join tokens: create, list, revoke."),
    "uncordon": ("verbs.nodes.cordon:uncordon", "Let pods be placed on a node again."),
    "up": ("cluster.up", "Start a cluster on this machine."),
    "version": ("verbs.version", "Show versions."),
    "wait": ("verbs.reading.wait", "Wait until a condition holds."),
}


class Verbs(click.Group):
    """A group whose commands are imported on use, and whose errors end as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every verb and program, by name."""
        return sorted(_lines())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb. None when there is none of this name."""
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
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_lines().items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Verbs that begin so, from the table alone."""
        return [
            CompletionItem(name, help=text)
            for name, text in sorted(_lines().items())
            if name.startswith(incomplete)
        ]

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run one command line and end the process with its exit code."""
        sys.exit(self._code(sys.argv[1:] if args is None else args))

    def _code(self, args: Sequence[str]) -> int:
        from holdfast.api.errors import ApiError
        from holdfast.cli import failures

        try:
            _check_text(args)
            code = super().main(args, prog_name="holdfast", standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            return 0
        except click.UsageError as error:
            failures.say(error.format_message())
            if error.ctx is not None:
                click.echo(f"See `{error.ctx.command_path} --help`.", err=True)
            return failures.USAGE
        except click.ClickException as error:
            failures.say(error.format_message())
            return failures.REFUSED
        except ApiError as error:
            failures.say(error.message)
            return failures.REFUSED
        except click.Abort:
            return failures.INTERRUPTED
        except OSError as error:  # standard output that takes no more: a full disk
            failures.say(error.strerror or str(error))
            return failures.REFUSED
        return code if isinstance(code, int) else 0


def _check_text(args: Sequence[str]) -> None:
    """Raises click.UsageError for bytes that are no UTF-8: names and values have to be."""
    for word in args:
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise click.UsageError(f"{word!a} is not UTF-8 text")


def _lines() -> dict[str, str]:
    return {name: text for name, (_module, text) in VERBS.items()} | programs.PROGRAMS


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@session.options
def cli(**_options: str | None) -> None:
    """Run containers on more than one machine. `holdfast up` starts a cluster here."""


def main() -> None:
    """Entry point of the `holdfast` script."""
    gc.set_threshold(GC_THRESHOLD)
    cli.main()


if __name__ == "__main__":
    main()
