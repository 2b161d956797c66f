"""Asks an agent through the gateway, across restarts of it, and prints the answer."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from ipc.errors import RemoteError
from ipc.frames.websocket import Event
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.nesting import decode_json
from ipc.websocket.reconnecting import ReconnectingClient
from ops.actions.unknown_names import unknown_name
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.show import show_json
from ops.output.text import clean

CONVERSATION = "`trunkline sessions list` shows its conversation"
CONNECT_SECONDS = 10.0
WAIT_SECONDS = 30.0  # of one ``agent.wait``; others follow
SPARE_SECONDS = 5.0  # for the outcome of a run that ends at its deadline to arrive


@dataclass(frozen=True, slots=True)
class Asking:
    """Options of a question: ``timeout`` in seconds, whether to ``wait``, and the output format."""

    stream: bool = False
    wait: bool = True
    timeout: float = 600.0
    as_json: bool = False


class StreamPrinter:
    """Prints the text of one run as its ``chat`` events arrive."""

    def __init__(self, run: str) -> None:
        self._run = run
        self.printed = ""

    def on_event(self, event: Event) -> None:
        """Print the new part of the text in an event."""
        if event.event != "chat":
            return
        payload = decode_json(bytes(cast(msgspec.Raw, event.payload)), dict[str, Any])
        if payload.get("runId") == self._run and payload.get("state") == "delta":
            self.add(payload.get("deltaText", ""))

    def add(self, text: str) -> None:
        """Print a piece of the answer."""
        self.printed += text
        sys.stdout.write(shown(text))
        sys.stdout.flush()

    def finish(self, text: str) -> None:
        """Print the part of the answer that did not come as events; all of it if they differ."""
        if text.startswith(self.printed):
            self.add(text[len(self.printed) :])
        else:
            self.add("\n" + text)
        print()


def ask_agent(target: RuntimeTarget, params: dict[str, Any], asking: Asking) -> None:
    """Ask and print the answer. Raises ``OperatorError``: exit 4 if it takes too long."""
    asyncio.run(_ask(target, params, asking))


def shown(text: str) -> str:
    """Return an answer made safe for a terminal, with its line breaks."""
    return "\n".join(clean(line) for line in text.split("\n"))


async def _ask(target: RuntimeTarget, params: dict[str, Any], asking: Asking) -> None:
    printer = StreamPrinter(params["idempotencyKey"]) if asking.stream else None
    on_event = None if printer is None else printer.on_event
    address = await address_of(target)
    async with connected_gateway(address, timeout=CONNECT_SECONDS, on_event=on_event) as client:
        try:
            answer = await client.call("agent", params)
        except RemoteError as error:
            if error.code == INVALID_REQUEST:
                raise await unknown_name(params, client) or error from None
            raise
        if answer.get("status") in ("accepted", "in_flight"):
            if not asking.wait:
                _show_accepted(answer, asking)
                return
            await _wait(client, params["idempotencyKey"], asking.timeout)
            answer = await client.call("agent", params)  # its last answer, by its key
    _show(answer, asking, printer)


async def _wait(client: ReconnectingClient, run: str, seconds: float) -> None:
    """Wait until a run has ended. Raises ``OperatorError`` if that takes too long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds + SPARE_SECONDS
    while (left := end - loop.time()) > 0:
        wait = min(left, WAIT_SECONDS)
        params = {"runId": run, "timeoutMs": round(wait * 1000)}
        ended = await client.call("agent.wait", params, timeout=wait + CONNECT_SECONDS, safe=True)
        if "endedAt" in ended:
            return
        if ended.get("known") is False:
            text = f"the gateway no longer knows the run {run}: it has ended; {CONVERSATION}"
            raise OperatorError(text)
    text = f"no answer within {seconds:g} s; the run {run} goes on: {CONVERSATION}"
    raise OperatorError(f"{text}, --timeout waits longer", ExitCode.TIMEOUT)


def _show_accepted(answer: dict[str, Any], asking: Asking) -> None:
    if asking.as_json:
        show_json(answer)
    else:
        print(clean(f"accepted ({answer['runId']})"))


def _show(answer: dict[str, Any], asking: Asking, printer: StreamPrinter | None) -> None:
    if asking.as_json:
        show_json(answer)
    status = answer.get("status")
    parts = answer.get("result", {}).get("payloads", [])
    text = "\n".join(filter(None, (each.get("text") or each.get("mediaUrl") for each in parts)))
    if status == "timeout":
        why = text or f"the run was {answer.get('summary', 'aborted')}"
        late = "timeoutPhase" in answer
        raise OperatorError(why, ExitCode.TIMEOUT if late else ExitCode.ERROR)
    if status != "ok":
        raise RemoteError(UNAVAILABLE, answer.get("summary") or "the agent gave no answer")
    if printer is not None:
        printer.finish(text)
    elif not asking.as_json:
        print(shown(text))
