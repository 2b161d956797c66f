"""Defines the commands ``trunkline gateway …``: query and control a gateway."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ops.commands import service
from ops.commands.gateway_calls import call_gateway
from ops.commands.option_groups import LocalOptions, RuntimeOptions, command
from ops.commands.options import Timeout, command_app, json_object
from ops.commands.service import Credential, Force, ServiceOptions
from ops.exits import ExitCode, OperatorError
from ops.output.commands import for_runtime
from ops.output.show import show_fields, show_json
from ops.output.text import clean

app = command_app("Query and control the gateway.")

CLIENT_COLUMNS = {
    "name": "name",
    "role": "role",
    "address": "address",
    "proved by": "provedBy",
    "connected": "age",
    "requests": "requests",
    "errors": "errors",
    "unread bytes": "unread",
    "client": "id",
}


@command(app)
def call(
    *,
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD", help="Name of the method, like health or channels.status."
        ),
    ],
    params: Annotated[
        str, typer.Option(metavar="JSON", help="Parameters of it, as a JSON object.")
    ] = "{}",
    timeout: Timeout = 30.0,
    options: RuntimeOptions,
) -> None:
    """Call a method of the gateway and print its answer as JSON.

    Examples:
        trunkline gateway call health
        trunkline gateway call sessions.list --params '{"limit": 3}'
        trunkline gateway call channels.status --url ws://10.0.0.5:18789
    """
    show_json(call_gateway(options, method, json_object(params), timeout))


@command(app)
def health(*, timeout: Timeout = 10.0, options: RuntimeOptions) -> None:
    """Ask the gateway for its health.

    Exits 0 when it is well, 1 when it is not, 3 when it cannot be reached.
    """
    answer = call_gateway(options, "health", {}, timeout)
    well = not isinstance(answer, dict) or answer.get("ok", True)
    if options.json:
        show_json(answer)
    else:
        print("ok" if well else "not ok")
    if not well:
        raise typer.Exit(ExitCode.ERROR)


@command(app)
def status(
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Probe other gateways on this host, too.")
    ] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Do not connect to it: show only its process.")
    ] = False,
    require_rpc: Annotated[
        bool, typer.Option("--require-rpc", help="Exit 1 unless it answers a call.")
    ] = False,
    options: RuntimeOptions,
) -> None:
    """Show the gateway's process and, separately, whether it can be reached.

    Exits 3 if neither the supervisor nor the gateway answers.
    """
    from ops.actions.gateway_status import Checks, exit_code, gateway_report
    from ops.output.daemon import MARGIN, gateway_report_lines, show_gateway
    from ops.output.paragraphs import filled

    report = gateway_report(options.target, Checks(not no_probe, require_rpc, deep))
    if options.json:
        show_json(report)
    else:
        if report.get("phase"):
            show_gateway(report)
        for line in gateway_report_lines(report):
            print(filled(line[:MARGIN], clean(line[MARGIN:])))
    if code := exit_code(report):
        raise typer.Exit(code)


@command(app)
def probe(*, timeout: Timeout = 10.0, options: RuntimeOptions) -> None:
    """Request health, status, presence and configuration, and show how long each takes.

    Exits 1 unless the gateway answers the request for its health.
    """
    from ops.actions.gateway_status import timed_answers

    address, answers = timed_answers(options.target, timeout)
    if options.json:
        show_json({"url": address.url, **answers})
    else:
        width = max(map(len, answers["parts"]))
        for name, part in answers["parts"].items():
            outcome = "ok" if part["ok"] else clean(part["error"])
            print(f"{name.ljust(width)}  {outcome}  {part['ms']:g} ms")
    if not answers["ok"]:
        raise typer.Exit(ExitCode.ERROR)


@command(app)
def clients(*, options: RuntimeOptions) -> None:
    """Show the connected clients, those that have left the most unread first."""
    from ops.output.text import age

    answer = call_gateway(options, "gateway.clients", {})
    if options.json:
        show_json(answer)
        return
    rows = [{**row, "age": age(row["ageMs"] / 1000)} for row in answer["clients"]]
    show_fields(sorted(rows, key=lambda row: -row["unread"]), CLIENT_COLUMNS)


@command(app)
def start(
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="End a program that holds the port, except another Trunkline."
        ),
    ] = False,
    timeout: Timeout = 30.0,
    options: LocalOptions,
) -> None:
    """Start the gateway and wait until it answers; exits 4 if that takes too long."""
    _control("start", {"force": True} if force else {}, timeout, options)


@command(app)
def stop(
    *,
    shutdown: Annotated[
        bool,
        typer.Option(
            "--shutdown",
            help="Ask a gateway that Trunkline did not start to end, too.",
        ),
    ] = False,
    timeout: Timeout = 30.0,
    options: LocalOptions,
) -> None:
    """Stop the gateway; accounts run on, and clients are refused. An attached one runs on."""
    _control("stop", {"shutdown": True} if shutdown else {}, timeout, options)


@command(app)
def restart(*, timeout: Timeout = 30.0, options: LocalOptions) -> None:
    """Restart the gateway; clients wait in the meantime, accounts run on.

    Exits 4 if it does not answer in time.
    """
    _control("restart", {}, timeout, options)


@command(app)
def install(
    *, credential: Credential = None, force: Force = False, options: ServiceOptions
) -> None:
    """Install the service; the same as `trunkline service install`."""
    _print_service_hint("install")
    service.install(credential=credential, force=force, options=options)


@command(app)
def uninstall(*, options: ServiceOptions) -> None:
    """Remove the service; the same as `trunkline service uninstall`."""
    _print_service_hint("uninstall")
    service.uninstall(options=options)


def _print_service_hint(verb: str) -> None:
    same = for_runtime(f"the same as `trunkline service {verb}`: gateway and accounts are one")
    print(same, file=sys.stderr)


def _control(verb: str, params: dict[str, Any], timeout: float, options: LocalOptions) -> None:
    from ops.actions.ask import ask_supervisor
    from ops.output.daemon import show_gateway

    answer = ask_supervisor(options.target, f"gateway.{verb}", params, timeout)
    row = answer["gateway"]
    if options.json:
        show_json(row)
    else:
        show_gateway(row)
        if answer.get("outcome") == "deferred":
            print("it followed another restart: they are kept 2.5 s apart")
        if answer.get("shutdown"):
            print(clean(f"shutdown: {answer['shutdown']}"))
    if not answer["ok"]:
        why = f": {row['lastError']}" if row.get("lastError") else ""
        more = "`trunkline logs gateway` says more"
        raise OperatorError(f"the gateway is {row['phase']}{why}; {more}", ExitCode.TIMEOUT)
