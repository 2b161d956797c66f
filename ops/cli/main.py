"""Runs the command line ``trunkline`` and turns every failure into a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ops.cli.conversion import convert_plainly
from ops.cli.lazy import LazyGroup, Table
from ops.commands.options import command_app
from ops.exits import ExitCode, UsageFailure
from ops.output.commands import remember, remember_command

if TYPE_CHECKING:  # a private name of typer: a version without it runs all the same
    from typer._click import Context as ClickContext


class Commands(LazyGroup):
    """Every command of ``trunkline``."""

    table: ClassVar[Table] = {
        "up": ("ops.commands.up", "Run the daemon in the foreground."),
        "down": ("ops.commands.daemon:down", "Stop the daemon and wait until it has ended."),
        "status": (
            "ops.commands.daemon:status",
            "Show the supervisor, the gateway, all accounts and all agents.",
        ),
        "top": ("ops.commands.follow:top", "Show all accounts full-screen; keys control them."),
        "watch": ("ops.commands.follow:watch", "Print what happens, as it happens."),
        "logs": ("ops.commands.follow:logs", "Print the logs of all processes as one stream."),
        "history": ("ops.commands.daemon:history", "Print what operators have changed."),
        "doctor": ("ops.commands.doctor", "Find problems, and name their cures."),
        "metrics": ("ops.commands.daemon:metrics", "Print the metrics, with or without a gateway."),
        "service": ("ops.commands.service", "Run the daemon as a service of systemd."),
        "upgrade": ("ops.commands.upgrade:upgrade", "Show what an upgrade has changed."),
        "channels": ("ops.commands.channels", "List, start, stop and configure accounts."),
        "wait": ("ops.commands.follow:wait", "Wait until accounts are running or stopped."),
        "chat": ("ops.commands.follow:chat", "Talk to an account of the local channel."),
        "message": ("ops.commands.message", "Send a message through an account."),
        "messages": ("ops.commands.messages", "Erase what is stored of a person."),
        "deadletters": (
            "ops.commands.deadletters",
            "List, retry or discard messages that were given up.",
        ),
        "pairing": ("ops.commands.pairing", "Decide who may talk to the accounts."),
        "agents": ("ops.commands.agents", "List, start, stop and configure agents."),
        "agent": ("ops.commands.agent:agent", "Ask an agent, and print its answer."),
        "sessions": (
            "ops.commands.sessions",
            "List conversations with agents; read, export, reset or delete them.",
        ),
        "cron": ("ops.commands.cron", "List, add, run and remove scheduled jobs."),
        "hooks": ("ops.commands.hooks", "Show what an HTTP request to a hook would do."),
        "gateway": ("ops.commands.gateway", "Query and control the gateway."),
        "open": ("ops.commands.console:open", "Open the console in a browser, signed in."),
        "devices": ("ops.commands.devices", "Decide which devices may connect to the gateway."),
        "nodes": ("ops.commands.nodes", "List, approve and use devices that run commands."),
        "setup": ("ops.commands.setup:setup", "Ask for a channel and an agent, and add them."),
        "config": ("ops.commands.config", "Find, check, show and change the configuration."),
        "import": ("ops.commands.importing", "Translate the configuration of OpenClaw."),
        "backup": ("ops.commands.journal:backup", "Copy the stored messages and conversations."),
        "restore": (
            "ops.commands.journal:restore",
            "Put a backup in their place; the daemon must be down.",
        ),
        "help": ("ops.cli.help", "Explain a command or a topic."),
        "completion": ("ops.cli.completion", "Print the completion script of a shell."),
        "version": ("ops.commands.daemon:version", "Show the version."),
    }
    headings: ClassVar[Mapping[str, str]] = {
        "up": "Daemon",
        "channels": "Accounts",
        "agents": "Agents",
        "gateway": "Gateway",
        "setup": "Configuration and data",
        "help": "Help",
    }

    def invoke(self, ctx: ClickContext) -> Any:
        """Run the command; remember its options for the commands that it prints."""
        remember(ctx.params)
        return super().invoke(ctx)


app = command_app(
    """Run many chat-channel accounts on one host, each in its own process.

    `trunkline COMMAND --help` explains a command, `trunkline help TOPIC` a topic: `start` for first
    steps, `keys`, `exit-codes`, and others that `trunkline help` lists. The options may stand after
    a command, too.
    """,
    cls=Commands,
)


def _show_version(asked: bool) -> None:
    if asked:
        from ops.commands.daemon import show_version

        show_version(as_json=False)
        raise typer.Exit(ExitCode.OK)


@app.callback()
def trunkline(
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Use the state, configuration and ports of this profile (TRUNKLINE_PROFILE).",
        ),
    ] = None,
    dev: Annotated[
        bool, typer.Option("--dev", help="The same as --profile dev, with port 19001.")
    ] = False,
    state_dir: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="State directory (TRUNKLINE_STATE_DIR); else ~/.local/state/trunkline.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Configuration file (TRUNKLINE_CONFIG_PATH); `trunkline config path` prints it.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Run many chat-channel accounts on one host, each in its own process."""


def main(args: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a character gets an escape, not a traceback
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: list[str]) -> int:
    """Run one command and return its exit code; the sentence of a failure goes to stderr."""
    try:
        _must_be_text(args)
        command = typer.main.get_command(app)
        convert_plainly(command)
        result = command(args=args, prog_name="trunkline", standalone_mode=False)
        sys.stdout.flush()
        return int(result or ExitCode.OK)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _discard_output()
    except SystemExit as end:  # typer's, when the pipe broke while it was in charge
        if isinstance(end.__context__, BrokenPipeError):
            return _discard_output()
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence, never a traceback
        if isinstance(error, ConnectionResetError) and not _has_reader(1):
            return _discard_output()  # a broken pipe that is a socket, as Node makes them
        from ops.cli.failures import report

        return report(error)
    finally:
        remember({})
        remember_command("", {})


def _has_reader(fd: int) -> bool:
    """Return whether what is written to a pipe, socket or file can still be read."""
    import select

    poll = select.poll()
    poll.register(fd, 0)  # errors and the end are reported whatever is asked for
    return not poll.poll(0)


def _discard_output() -> ExitCode:
    """Discard further output, as of `trunkline status | head -1`, and return success."""
    sys.stdout = sys.__stdout__
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.OK


def _must_be_text(args: list[str]) -> None:
    """Refuse arguments that are not UTF-8, which Python represents with surrogates."""
    for arg in args:
        try:
            arg.encode()
        except UnicodeEncodeError:
            from ops.cli.failures import shortened

            shown = ascii(shortened(arg))
            raise UsageFailure(
                f"{shown} is not valid text: it has bytes that are not UTF-8"
            ) from None


if __name__ == "__main__":
    main()
