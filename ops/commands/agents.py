"""Defines the commands ``trunkline agents …``: list, control and configure agents."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.commands.option_groups import (
    LineSelection,
    LocalOptions,
    RuntimeOptions,
    WaitOptions,
    command,
)
from ops.commands.options import Reason, command_app
from ops.connect.selection import agent_key, check_named
from ops.output.commands import for_runtime
from ops.output.show import show_json, show_table

app = command_app("List, start, stop and configure agents: what answers the accounts' messages.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Agent, like main.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Agents, like main.")]
All = Annotated[bool, typer.Option("--all", help="Every agent.")]


@command(app, "list")
def list_agents(*, options: LocalOptions) -> None:
    """List the agents of the configuration; needs no running daemon."""
    from ops.connect.configuration import load_file
    from ops.connect.places import places_of

    loaded = load_file(places_of(options.target))
    default = loaded.config.agents.default
    rows = [
        {
            "agent": spec.account_id,
            "kind": spec.manifest.id,
            "name": spec.name,
            "default": spec.account_id == default,
            "process": spec.key in loaded.workers,
            "enabled": spec.enabled,
            "configured": spec.configured,
            "identity": spec.label,
            "reason": spec.reason,
        }
        for spec in loaded.agents.values()
    ]
    if options.json:
        show_json({"default": default, "agents": rows})
        return
    if not rows:
        print(
            for_runtime("no agents; add one with `trunkline agents add ID kind=KIND FIELD=VALUE…`")
        )
        return
    words = {True: "yes", False: "no"}
    columns = list(rows[0])
    table = [
        [words[value] if isinstance(value, bool) else value for value in row.values()]
        for row in rows
    ]
    show_table(columns, table)


@command(app)
def describe(*, name: Id, options: LocalOptions) -> None:
    """Show why an agent is in its state, what happens next, its last events and log lines.

    Examples:
        trunkline agents describe main
    """
    from ops.actions.ask import ask_supervisor
    from ops.output.description import show_description

    key = agent_key(name)
    found = ask_supervisor(options.target, "channels.describe", {"account": key})
    if options.json:
        show_json(found)
    else:
        show_description(found)


@command(app)
def start(
    *, names: Ids = None, everything: All = False, waiting: WaitOptions, options: RuntimeOptions
) -> None:
    """Start agents at once, also in a backoff, and release their holds.

    Examples:
        trunkline agents start main --wait
    """
    _control("start", names, everything, options, waiting)


@command(app)
def stop(
    *,
    names: Ids = None,
    everything: All = False,
    reason: Reason = None,
    waiting: WaitOptions,
    options: RuntimeOptions,
) -> None:
    """Stop agents, and keep them stopped over restarts of the daemon.

    Examples:
        trunkline agents stop main --reason 'out of credit'
    """
    _control("stop", names, everything, options, waiting, reason)


@command(app)
def restart(
    *, names: Ids = None, everything: All = False, waiting: WaitOptions, options: RuntimeOptions
) -> None:
    """Replace the processes of agents; a stopped agent is started.

    Examples:
        trunkline agents restart main --wait
    """
    _control("restart", names, everything, options, waiting)


@command(app)
def logs(*, name: Id, selection: LineSelection, options: LocalOptions) -> None:
    """Print the log lines of an agent.

    Examples:
        trunkline agents logs main --follow
    """
    from ops.actions.logs import print_logs

    print_logs(options.target, selection.wanted([agent_key(name)]), as_json=options.json)


@command(app)
def add(
    *,
    name: Id,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE…]",
            help="kind=KIND, and the fields that `config example agent:KIND` lists.",
        ),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Let it answer for the accounts that name no agent.")
    ] = False,
    options: LocalOptions,
) -> None:
    """Add an agent: check the new configuration, write it, have the daemon apply it.

    Examples:
        trunkline agents add main kind=openai model=gpt-5 --default
        trunkline agents add shell kind=command 'command=["./answer.sh"]'
    """
    from ops.actions.config_edit import add_agent

    key = agent_key(name)
    add_agent(options.target, key, fields or [], default=default, as_json=options.json)


@command(app)
def remove(*, name: Id, options: LocalOptions) -> None:
    """Remove an agent: stop it and take it out of the configuration.

    Examples:
        trunkline agents remove main
    """
    from ops.actions.config_edit import remove_agent

    remove_agent(options.target, agent_key(name), as_json=options.json)


def _control(
    verb: Any,
    names: list[str] | None,
    everything: bool,
    options: RuntimeOptions,
    waiting: WaitOptions,
    reason: str | None = None,
) -> None:
    from ops.actions.accounts import Order, carry_out, read_status, show_outcome

    check_named(names, everything, "agents (main)")
    keys = [agent_key(name) for name in names or ()]
    if everything:
        keys = [row["account"] for row in read_status(options.target)["agents"]]
    order = Order(verb, list(dict.fromkeys(keys)), reason, waiting.wait, waiting.timeout)
    show_outcome(order, carry_out(options.target, order), as_json=options.json)
