"""Asks for a channel, its secret and an agent, and runs the commands that add them.

Everything is asked first and then done without a pause, so that an interruption leaves nothing half
done. If a command fails, those before it are undone.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.actions.config_edit import SECRETS
from ops.actions.keyboard import Keyboard
from ops.actions.setup_dialog import SetupDialog
from ops.actions.setup_execution import Run, carry_out
from ops.actions.setup_plan import (
    AGENTS,
    KEEP,
    SHOWN_AGENTS,
    Plan,
    SetupQuestion,
    existing_agents,
    plan,
    plan_replacement,
    questions_of,
    secrets_again,
    section_of,
    shown_command,
)
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.output import commands
from ops.output.text import clean
from runtime.config.places import Places
from workers.plugin import Manifest
from workers.registry import ID, ID_RULE, Manifests, manifests

FIRST = "telegram"


def set_up(places: Places, run: Run, *, probe: bool = True) -> None:
    """Ask the questions, show what will be done, and do it.

    With ``probe`` the platform checks the login before anything is written. Raises
    ``UsageFailure`` without a terminal, ``OperatorError`` if a command fails, and after Ctrl-C.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageFailure(
            "setup asks questions, and this is no terminal; a script takes `trunkline up --detach`,"
            " `trunkline agents add` and `trunkline channels add`"
        )
    try:
        _ask_and_do(places, run, probe=probe)
    except KeyboardInterrupt:
        raise OperatorError("interrupted: nothing was done", ExitCode.INTERRUPTED) from None


def _ask_and_do(places: Places, run: Run, *, probe: bool) -> None:
    known = manifests()
    accounts, raw = _configured(places)
    agents = existing_agents(raw)
    asked = SetupDialog(Keyboard(), probe=probe)
    manifest = known[_channel(asked, known)].manifest
    account = asked.ask(
        SetupQuestion("account", "Name of the account", _free_account(manifest.id, accounts)),
        _wrong_account,
    )
    key = f"{manifest.id}:{account}"
    directory = places.config_path.parent / SECRETS
    if key in accounts:
        made = _replacing(asked, manifest, key, accounts[key], directory, _is_running(places))
        _agree_and_do(asked, made, run)
        return
    login = asked.login(manifest, list(questions_of(manifest)), section_of(raw, manifest))
    agent = asked.choose("Who answers?", SHOWN_AGENTS, KEEP)
    of_agent = asked.fields(AGENTS.get(agent, ()))
    made = plan(key, login, agent, of_agent, directory, running=_is_running(places), agents=agents)
    if _agree_and_do(asked, made, run):
        _print_next_steps(manifest, key)


def _replacing(
    asked: SetupDialog,
    manifest: Manifest,
    key: str,
    configured: Mapping[str, Any],
    directory: Path,
    running: bool,
) -> Plan:
    """Ask for new secrets of an existing account. Raises ``OperatorError`` if it has none."""
    print(clean(f"{key} exists already: only its secrets can be replaced; Enter keeps one."))
    again, elsewhere = secrets_again(manifest, key, configured, directory)
    for line in elsewhere:
        print(clean(f"  {line}"))
    hidden = asked.login(manifest, again, configured).secret
    if not hidden:
        raise OperatorError(f"{key} is unchanged: nothing was done")
    return plan_replacement(key, hidden, directory, running=running)


def _agree_and_do(asked: SetupDialog, made: Plan, run: Run) -> bool:
    """Show a plan and carry it out if the person agrees; return whether it was carried out."""
    given = commands.options()
    print("\nThis will be done:\n")
    for path in made.secrets:
        print(clean(f"  # what you typed is written to {path}, for you alone"))
    for command in made.commands:
        print(clean(f"  {shown_command(command, given)}"))
    print()
    if asked.choose("Do it?", {"yes": "", "no": ""}, "yes") == "no":
        print("Nothing was done.")
        return False
    carry_out(made, lambda command: run([*given, *command]))
    return True


def _channel(asked: SetupDialog, known: Manifests) -> str:
    names = sorted(known, key=lambda each: (each != FIRST, each))
    choices = {
        name: known[name].manifest.detail_label or known[name].manifest.label for name in names
    }
    return asked.choose("Which channel?", choices, names[0])


def _configured(places: Places) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the fields of the existing accounts by key, and the whole configuration.

    Raises ``ConfigError`` if the daemon could not start with it, before anything is asked.
    """
    from runtime.config.load import load_effective

    if not places.config_path.exists():
        return {}, {}
    found = load_effective(places, os.environ)
    return {key: spec.config for key, spec in found.accounts.items()}, found.raw


def _is_running(places: Places) -> bool:
    from ops.connect.supervisor import connected_supervisor

    async def connect() -> None:
        async with connected_supervisor(places):
            pass

    try:
        asyncio.run(connect())
    except OperatorError:
        return False
    return True


def _free_account(channel: str, taken: Mapping[str, Any]) -> str:
    number, name = 1, "main"
    while f"{channel}:{name}" in taken:
        number += 1
        name = f"main{number}"
    return name


def _wrong_account(name: str) -> str | None:
    return None if ID.match(name) else f"is not a valid name; allowed: {ID_RULE}"


def _print_next_steps(manifest: Manifest, key: str) -> None:
    if manifest.dm_policy == "pairing":
        print("Write to it, and it answers with a code. Then:")
        print(commands.for_runtime(f"trunkline pairing approve {manifest.id} CODE"))
    print(commands.for_runtime(f"trunkline channels describe {key}   # how it is"))
    print(commands.for_runtime("trunkline service install   # starts the daemon at each boot"))
