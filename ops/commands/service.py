"""Defines the commands ``trunkline service …``: run the daemon as a service of systemd."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ops.commands.option_groups import command
from ops.commands.options import Follow, Json, Lines, command_app
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.output.commands import for_runtime
from ops.output.paragraphs import filled
from ops.output.show import show_json
from ops.output.text import clean
from ops.service.unit import Scope

app = command_app("Run the daemon as a service of systemd.")
System = Annotated[
    bool, typer.Option("--system", help="A service of the system: the default for root.")
]
User = Annotated[
    bool, typer.Option("--user", help="A service of this user: the default for others.")
]
RunAs = Annotated[
    str | None, typer.Option(metavar="USER", help="The user as whom a service of the system runs.")
]
Credential = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE",
        help='Pass the secret in FILE on, for {source: "credential", id: "NAME"}.',
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a unit that differs; a copy of it is kept.")
]


@dataclass(frozen=True)
class ServiceOptions:
    """The options that select a service."""

    context: typer.Context
    system: System = False
    user: User = False
    run_as: RunAs = None
    json: Json = False

    @property
    def service(self) -> Any:
        """The service; raises ``UsageFailure`` if both scopes are given."""
        from ops.actions.service import service_of

        if self.system and self.user:
            raise UsageFailure("--system and --user exclude each other")
        scope: Scope | None = "system" if self.system else "user" if self.user else None
        return service_of(RuntimeTarget(self.context.find_root().params), scope, self.run_as)


@command(app)
def install(
    *, credential: Credential = None, force: Force = False, options: ServiceOptions
) -> None:
    """Start the daemon now and at each boot: write the unit, enable it, wait until it is ready.

    Examples:
        trunkline service install
        sudo trunkline service install --run-as chat \\
            --credential TELEGRAM=/root/telegram
    """
    from ops.actions.service import install as write_and_start

    service = options.service
    done = write_and_start(service, credential or (), force=force)
    if options.json:
        show_json(done)
        return
    unchanged = done["outcome"] == "unchanged"
    print(clean(f"{service.name} {'runs already' if unchanged else 'runs'} ({done['unit']})"))
    if done.get("backup"):
        print(clean(f"the unit before is kept as {done['backup']}"))
    if done["restartNeeded"]:
        print(for_runtime("the daemon runs with the unit before until `trunkline service restart`"))
    if done.get("lingers") is False:
        who = clean(service.user)
        print(f"it ends when you log out; `loginctl enable-linger {who}` keeps it running")
    if done["notPassed"]:
        _show_not_passed(done["notPassed"], service)


@command(app)
def uninstall(*, options: ServiceOptions) -> None:
    """Stop the service and remove its unit; configuration and state stay."""
    from ops.actions.service import uninstall as remove

    service = options.service
    removed = remove(service)
    if options.json:
        show_json({"removed": removed, "unit": str(service.file)})
    else:
        print(clean(f"{service.file} {'is removed' if removed else 'did not exist'}"))


@command(app)
def status(*, options: ServiceOptions) -> None:
    """Show whether the service is installed, runs, and has an up-to-date unit.

    Exits 3 when it does not run.
    """
    from ops.actions.service import service_status

    found = service_status(options.service)
    if options.json:
        show_json(found)
    else:
        _show(found)
    if found["active"] != "active":
        raise typer.Exit(ExitCode.NOT_RUNNING)


@command(app)
def start(*, options: ServiceOptions) -> None:
    """Start the service and wait until it is ready."""
    _control("start", options)


@command(app)
def stop(*, options: ServiceOptions) -> None:
    """Stop the service until it is started again or the host boots."""
    _control("stop", options)


@command(app)
def restart(*, options: ServiceOptions) -> None:
    """Stop and start the service: every account, too."""
    _control("restart", options)


@command(app)
def logs(*, lines: Lines = 100, follow: Follow = False, options: ServiceOptions) -> None:
    """Print what the daemon wrote to the journal of systemd; `trunkline logs` has its accounts."""
    service = options.service
    journal = service.systemd.journal(service.name, lines, follow=follow, json=options.json)
    try:
        os.execvp(journal[0], journal)  # noqa: S606 - the pager and Ctrl-C are its own
    except FileNotFoundError:
        raise OperatorError("there is no journalctl; see `trunkline logs supervisor`") from None


def _control(verb: str, options: ServiceOptions) -> None:
    from ops.actions.service import control

    service = options.service
    control(service, verb)
    if options.json:
        show_json({"ok": True, "verb": verb, "unit": service.name})
    else:
        words = {"start": "is started", "stop": "is stopped", "restart": "is started anew"}
        print(clean(f"{service.name} {words[verb]}"))


def _show_not_passed(names: list[str], service: Any) -> None:
    """Print which variables of this shell the service does not get, and how it gets them."""
    user = " --user" if service.scope == "user" else ""
    again = for_runtime(f"`trunkline service restart --{service.scope}`")
    print(clean(f"warning: it does not get what this shell has in {', '.join(names)}"))
    print(clean(f"  `systemctl{user} edit {service.name}`: Environment=NAME=VALUE; then {again}"))
    print('  a secret: --credential NAME=FILE, and {source: "credential", id: "NAME"} refers to it')


def _show(found: dict[str, Any]) -> None:
    if not found["installed"]:
        other = found.get("otherScope")
        there = f"; that of the {other} is: add --{other}" if other else ""
        print(clean(f"not installed: {found['unit']} is not there{there}"))
        return
    process = f"  pid {found['pid']}" if found["pid"] else ""
    result = found["result"] if found["result"] not in (None, "", "success") else ""
    state = "  ".join(filter(None, (found["active"], found["substate"], result)))
    print(clean(f"service     {state}{process}"))
    print(clean(f"unit        {found['unit']}"))
    print(clean(f"user        {found['user']}"))
    print(f"at boot     {'started' if found['enabled'] else 'not started'}")
    if found.get("lingers") is False:
        print("warning     it ends when this user logs out: `loginctl enable-linger`")
    for doubt in found["doubts"]:
        print(filled("warning     ", clean(doubt)))
    if found["doubts"]:
        print(for_runtime("            `trunkline service install --force` writes it anew"))
