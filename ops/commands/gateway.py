"""``trunkline gateway``: ask the gateway, or have the supervisor control it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.actions.ask import ask
from ops.commands.options import Json, Timeout, Token, Url, command_app
from ops.connect.target import here
from ops.exits import Exit, OperatorError, UsageFailure
from ops.output.stdout import show_json

app = command_app("Ask or control the gateway.")


@app.command()
def call(
    context: typer.Context,
    method: str,
    params: Annotated[str, typer.Option(help="Parameters, as a JSON object.")] = "{}",
    timeout: Timeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Call any method of the gateway and print its answer as JSON."""
    show_json(ask(context, method, object_of(params), url, token, timeout))


@app.command()
def health(
    context: typer.Context,
    timeout: Timeout = 10.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Ask the gateway for its health; exits 0 when it is fine."""
    answer = ask(context, "health", {}, url, token, timeout)
    well = not isinstance(answer, dict) or answer.get("ok", True)
    if json:
        show_json(answer)
    else:
        print("ok" if well else "not ok")
    if not well:
        raise typer.Exit(Exit.ERROR)


@app.command()
def status(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Probe other gateways found too.")] = False,
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Do not connect to it.")] = False,
    require_rpc: Annotated[
        bool, typer.Option("--require-rpc", help="Fail unless it answers a call.")
    ] = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show the gateway's process and, apart from that, whether it can be reached."""
    from ops.actions import gateway_status
    from ops.connect import gateway as gateways
    from ops.connect import supervisor as clients
    from ops.output.text import clean

    async def work() -> Any:
        places = here(context)
        target = gateways.elsewhere(url, token) if url else await gateways.own(places, token)
        return await gateway_status.report(
            places, target, local=url is None, probed=not no_probe, rpc=require_rpc, deep=deep
        )

    answer = clients.run(work())
    if json:
        show_json(answer)
    else:
        if answer.get("phase"):
            _show(answer, json=False)
        for line in gateway_status.sentence(answer):
            print(clean(line))
    code = gateway_status.exit_code(answer)
    if code:
        raise typer.Exit(code)


@app.command()
def probe(
    context: typer.Context,
    timeout: Timeout = 10.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Connect and ask for health, status, presence and configuration at once; exits 0 when it
    answers.
    """
    from ops.actions.probe import show_probe
    from ops.connect import gateway as gateways
    from ops.connect import supervisor as clients

    async def work() -> Any:
        where = gateways.elsewhere(url, token) if url else await gateways.own(here(context), token)
        return where, await show_probe(where, timeout)

    where, answer = clients.run(work())
    if json:
        show_json({"url": where.url, **answer})
    else:
        for name, part in answer["parts"].items():
            print(f"{name}  {'ok' if part['ok'] else part['error']}  {part['ms']:g} ms")
    if not answer["ok"]:
        raise typer.Exit(Exit.ERROR)


@app.command()
def start(
    context: typer.Context,
    force: Annotated[bool, typer.Option(help="End a stranger that holds the port.")] = False,
    timeout: Timeout = 30.0,
    json: Json = False,
) -> None:
    """Start the gateway and wait until it answers."""
    _control(context, "start", {"force": True} if force else {}, timeout, json=json)


@app.command()
def stop(
    context: typer.Context,
    shutdown: Annotated[
        bool,
        typer.Option(
            "--shutdown",
            help="Ask a gateway that is not ours to end, too; of ours it changes nothing.",
        ),
    ] = False,
    timeout: Timeout = 30.0,
    json: Json = False,
) -> None:
    """Stop the gateway; accounts run on, and clients are refused. One not ours is let go."""
    _control(context, "stop", {"shutdown": True} if shutdown else {}, timeout, json=json)


@app.command()
def restart(context: typer.Context, timeout: Timeout = 30.0, json: Json = False) -> None:
    """Restart the gateway; clients wait in the meantime, accounts run on."""
    _control(context, "restart", {}, timeout, json=json)


def _control(
    context: typer.Context, verb: str, params: dict[str, Any], timeout: float, *, json: bool
) -> None:
    answer = _supervised(context, f"gateway.{verb}", params, timeout)
    row = answer["gateway"]
    _show(row, json=json)
    if not json and answer.get("outcome") == "deferred":
        print("it followed another restart: they are kept 2.5 s apart")
    if not json and answer.get("shutdown"):
        print(f"shutdown: {answer['shutdown']}")
    if not answer["ok"]:
        why = f": {row['lastError']}" if row.get("lastError") else ""
        raise OperatorError(f"the gateway is {row['phase']}{why}", Exit.TIMEOUT)


def _show(row: dict[str, Any], *, json: bool) -> None:
    from ops.output.text import clean

    if json:
        show_json(row)
        return
    details = [
        row["phase"]
        + ("" if row.get("connected") or row["phase"] != "running" else ", no session"),
        f"pid {row['pid']}" if row.get("pid") else "",
        row.get("url") or "",
        f"{row['outages']} outages" if row.get("outages") else "",
        row.get("lastError") or "",
    ]
    print(clean("  ".join(filter(None, details))))


def object_of(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``; exit 2 where it is none."""
    import msgspec

    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise UsageFailure(f"--params is not a JSON object: {error}") from None


def _supervised(context: typer.Context, method: str, params: dict[str, Any], timeout: float) -> Any:
    from ops.connect import supervisor as clients

    async def work() -> Any:
        async with clients.supervisor(here(context)) as client:
            return await client.call(method, params, timeout=timeout)

    return clients.run(work())
