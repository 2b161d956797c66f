"""Changes a configuration by a merge patch through its owner, exactly once.

The owner is the supervisor, or a gateway with OpenClaw's methods. A write names the revision that
it is based on, so no concurrent change is overwritten; after one the write is repeated once. The
gateway may restart because of the change, so that its answer is lost: then the configuration is
read again to find out whether the change was made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
import pyjson5

from ipc.errors import CallTimeout, PeerGone, RemoteError
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.places import places_of
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError, UsageFailure
from runtime.config.check import not_finite
from runtime.config.text.parse_errors import json5_problem

CHANGED = "config changed since last load"
INVALID = "invalid config"
HIDDEN = "__OPENCLAW_REDACTED__"  # stands for a secret in what is read
TRIES = 2

Row = dict[str, Any]
Change = Row | Callable[[Row], Row]


class ConfigOwner(Protocol):
    """A connection to the process that owns the configuration."""

    async def call(self, method: str, params: Any = None, *, timeout: float) -> Any:
        """Return the answer of ``method``."""


def change_of(text: str) -> Row:
    """Parse a merge patch in JSON5; exit 2 if it is not one."""
    try:
        change = pyjson5.decode(text)
    except pyjson5.Json5DecoderException as error:
        raise UsageFailure(f"the change {json5_problem(text, error).text}"[:300]) from None
    if problem := next(not_finite(change), None):
        raise UsageFailure(f"the change cannot be made: {problem}")
    if not isinstance(change, dict):
        raise UsageFailure("the change must be an object, like '{agents: {default: \"none\"}}'")
    return change


def patch_config(
    target: RuntimeTarget, change: Change, timeout: float, *, through_gateway: bool = False
) -> Row:
    """Apply a patch; return the answer, with ``confirmed`` true if the original one was lost.

    ``change`` may be a function that makes the patch from the current values of the file.
    The supervisor makes it, unless ``target`` has a URL or ``through_gateway`` is true. Raises
    ``OperatorError`` if it cannot be made (exit 78 if the result would be invalid), or if it is
    unknown whether it was.
    """
    return asyncio.run(_patch_config(target, change, timeout, through_gateway=through_gateway))


async def _patch_config(
    target: RuntimeTarget, change: Change, timeout: float, *, through_gateway: bool
) -> Row:
    if target.url is None and not through_gateway:
        async with connected_supervisor(places_of(target)) as supervisor:
            return await _patch(supervisor, change, timeout)
    async with connected_gateway(await address_of(target), timeout=timeout) as gateway:
        return await _patch(gateway, change, timeout)


async def _patch(owner: ConfigOwner, asked: Change, timeout: float) -> Row:
    for tries_left in reversed(range(TRIES)):
        before = await _read(owner, timeout)
        change = asked(_values(before)) if callable(asked) else asked
        raw = msgspec.json.encode(change).decode()
        given = {"raw": raw} | ({"baseHash": before["hash"]} if "hash" in before else {})
        try:
            answer: Row = await owner.call("config.patch", given, timeout=timeout)
            return answer
        except RemoteError as error:
            if error.message.startswith(INVALID):
                raise OperatorError(error.message, ExitCode.CONFIGURATION) from None
            if CHANGED not in error.message or not tries_left:
                raise
        except (PeerGone, CallTimeout):
            after = await _read(owner, timeout)
            if holds(_values(after), change):
                return {"ok": True, "hash": after.get("hash"), "confirmed": True}
            if after.get("hash") != before.get("hash"):
                raise OperatorError(
                    "the answer was lost, and somebody else changed the configuration:"
                    " check it before you try again"
                ) from None
    raise OperatorError(
        "the answer was lost twice, and the configuration is unchanged: try again once"
        " `trunkline gateway status` shows that it answers"
    )


async def _read(owner: ConfigOwner, timeout: float) -> Row:
    found: Row = await owner.call("config.get", {}, timeout=timeout)
    return found


def _values(found: Row) -> Row:
    """Return the values of the file, without defaults if the owner distinguishes them."""
    values = found.get("parsed", found.get("config"))
    return values if isinstance(values, dict) else {}


def holds(values: Any, change: Any) -> bool:
    """Return whether a merge patch (RFC 7396) changes nothing; a redacted secret equals any."""
    if not isinstance(change, Mapping):
        return _same(values, change)
    if not isinstance(values, Mapping):
        return False
    return all(
        name not in values if wanted is None else name in values and holds(values[name], wanted)
        for name, wanted in change.items()
    )


def _same(value: Any, wanted: Any) -> bool:
    """Return whether ``value`` may equal ``wanted``; a redacted secret equals any value."""
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_same(value[n], wanted[n]) for n in wanted)
    if value == HIDDEN:
        return True
    if isinstance(value, str) and isinstance(wanted, str):
        pattern = ".*".join(map(re.escape, value.split(HIDDEN)))
        return re.fullmatch(pattern, wanted, re.DOTALL) is not None
    return bool(value == wanted)
