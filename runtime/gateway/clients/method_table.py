"""Keeps the table of methods with scopes and functions, and checks the params of requests.

    class ThingParams(Params):
        key: str

    @method("thing.get", READ, ThingParams)
    def thing_get(parts: GatewayParts, client: ConnectedClient, params: ThingParams) -> Any:
        ...

A function returns plain JSON data (or ``msgspec.Raw``) and raises ``RemoteError``. A
coroutine function may wait; a plain one is answered within the same read of the socket, or
returns an ``AccountCall``: then it is answered when an account has answered. If only some
requests wait, a plain function may return a coroutine. One that waits may return ``TwoAnswers``
or a ``FailedAnswer``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ipc.errors import CallTimeout, PeerGone, RemoteError
from ipc.frames.requests import NoParams
from ipc.frames.websocket import explain
from ipc.frames.words import FORBIDDEN, INVALID_REQUEST, UNAVAILABLE
from ipc.websocket.long_messages import LONG_MESSAGE_BYTES
from runtime.gateway.access.scopes import ADMIN, NODE, OPERATOR, READ, SUPERVISOR, covers
from runtime.gateway.accounts.account_calls import read_answer

BOTH = frozenset({3, 4})  # protocols
# Of a request with a text of 262,144 characters, each as an escape, files, or thousands of names.
TEXT_BYTES = 4 * 1024 * 1024

Function = Callable[[Any, Any, Any], Any]  # of the parts, the client and the params


class AccountCall(msgspec.Struct, frozen=True, gc=False):
    """A call to the account ``key``: its plugin's ``method``, with ``params`` as JSON text.

    ``then`` makes the result of the account's answer, which ``decoder`` reads. ``reads``: the call
    changes nothing. What waits this way takes no task, which would cost more than all the rest.
    """

    key: str
    method: str
    params: bytes
    seconds: float
    decoder: msgspec.json.Decoder[Any]
    then: Callable[[Any], Any]
    reads: bool = False

    def result(self, answer: bytes) -> Any:
        """Decode the account's answer and return the result; raises ``RemoteError``."""
        return self.then(read_answer(self.key, answer, self.decoder))

    async def answer(self, parts: Any) -> Any:
        """Call the account, in a task, and return the result; ``parts`` are the gateway's."""
        try:
            answer = await parts.calls.call(self.key, self.method, self.params, self.seconds)
            return self.result(answer)
        except Exception as error:
            failed = self.failure(parts, error)
            if failed is error:
                raise
            raise failed from error

    def failure(self, parts: Any, error: Exception) -> Exception:
        """Record a message that was not sent, and return the error for its caller.

        Nothing is stored, and the process that knew the key may have died: a repeated call could be
        a second one, unless it only reads.
        """
        if self.method == "send":
            parts.stability.record_unsent(self.key, error)
        return error if self.reads else in_doubt(error)


def in_doubt(error: Exception) -> Exception:
    """Return the error for a caller whose call may have been executed; any other as it is."""
    if isinstance(error, CallTimeout):
        text = f"{error}; the request may have been executed"
    elif isinstance(error, PeerGone) and error.maybe_executed:
        text = str(error)
    else:
        return error
    return RemoteError(UNAVAILABLE, text, details={"maybeExecuted": True})


class FailedAnswer(msgspec.Struct, frozen=True):
    """An answer that is an error and has a payload beside it."""

    payload: Any
    error: RemoteError


class TwoAnswers(msgspec.Struct, frozen=True):
    """Two answers to one request: ``first`` now, and what ``then`` makes of ``later``'s result.

    What waits for the second one takes no task, and no drain waits for it: where the gateway ends
    before, it does not come.
    """

    first: Any
    later: asyncio.Future[Any]
    then: Callable[[Any], Any]


_NO_PARAMS = NoParams()


class Repeat(StrEnum):
    """Whether a call that may have been executed can be made again without harm."""

    NEVER = "never"
    WITH_KEY = "withKey"  # the same ``idempotencyKey`` has no second effect, over restarts too
    ALWAYS = "always"


class Method(msgspec.Struct, frozen=True):
    """One row of the table.

    ``waits``: the function is a coroutine function. ``struct`` is the type of its params,
    ``absent`` their value where a request has none (``UNSET``: decoded from ``{}``). ``ours``:
    OpenClaw does not have it. ``most_bytes`` is the largest size of a request.
    """

    name: str
    scope: str | None
    roles: frozenset[str]
    function: Function
    waits: bool
    decoder: msgspec.json.Decoder[Any] | None
    struct: type[msgspec.Struct] | None = None
    absent: Any = UNSET
    ours: bool = False
    protocols: frozenset[int] = BOTH
    repeat: Repeat = Repeat.NEVER
    most_bytes: int = LONG_MESSAGE_BYTES

    def params(self, raw: Raw | UnsetType) -> Any:
        """Return the validated params; raises ``RemoteError`` that names the fault."""
        if self.decoder is None:
            return None
        try:
            return self.decoder.decode(b"{}" if raw is UNSET else raw)
        except msgspec.ValidationError as error:
            text = explain(error)
        except (msgspec.DecodeError, RecursionError):
            text = "at root: must be object"
        raise RemoteError(INVALID_REQUEST, f"invalid {self.name} params: {text}")

    def unanswered(self, error: PeerGone | CallTimeout) -> RemoteError:
        """Return the error for a call that got no answer.

        It is ``retryable`` unless a repeated call could be a second one.
        """
        found = in_doubt(error) if self.repeat is Repeat.NEVER else error
        if isinstance(found, RemoteError):
            return found
        return RemoteError(UNAVAILABLE, str(error), retryable=True)


METHODS: dict[str, Method] = {}  # of the families that are imported

ImportFamily = Callable[[str], object]

_late: dict[str, tuple[str, ImportFamily]] = {}  # the other methods, with what imports them


def register_late(family: str, names: Iterable[str], import_family: ImportFamily) -> None:
    """Register the names of methods whose ``family`` is imported at the first request for one.

    Both protocols have all of them.
    """
    _late.update((name, (family, import_family)) for name in names)


def find(name: str) -> Method | None:
    """Return the method with this name, importing its family if needed."""
    if name not in METHODS and name in _late:
        family, import_family = _late[name]
        import_family(family)
        allowed.cache_clear()
    return METHODS.get(name)


def import_all() -> dict[str, Method]:
    """Import every family, and return the whole table."""
    for name in _late:
        find(name)
    return METHODS


def method(
    name: str,
    scope: str | None,
    params: type[msgspec.Struct] | None = NoParams,
    roles: frozenset[str] = frozenset({OPERATOR}),
    protocols: frozenset[int] = BOTH,
    *,
    ours: bool = False,
    repeat: Repeat | None = None,
    most_bytes: int = LONG_MESSAGE_BYTES,
) -> Callable[[Function], Function]:
    """Register a function in the table. ``params`` of ``None``: all params are ignored.

    ``ours`` marks an addition to OpenClaw's protocol. ``repeat`` tells clients what they may ask
    again after a lost connection; by default methods of scope READ. A request has at most
    ``most_bytes``, which is known before it has all arrived. The first
    paragraph of the function's docstring is what the page ``docs/protocol.md`` says of it.
    """

    def register(function: Function) -> Function:
        decoder = None if params is None else msgspec.json.Decoder(params)
        waits = inspect.iscoroutinefunction(function)
        again = repeat or (Repeat.ALWAYS if scope == READ else Repeat.NEVER)
        absent = None if params is None else _NO_PARAMS if params is NoParams else UNSET
        METHODS[name] = Method(
            name, scope, roles, function, waits, decoder, params, absent, ours, protocols, again,
            most_bytes,
        )  # fmt: skip
        return function

    return register


@lru_cache(maxsize=256)
def allowed(role: str, scopes: tuple[str, ...], protocol: int = 4) -> dict[str, Method]:
    """Return the methods that a client may use: one look-up in it decides everything.

    What is not in it may be of a family that is not imported yet (``find``).
    """
    return {
        name: entry
        for name, entry in METHODS.items()
        if (role in entry.roles or (role == SUPERVISOR and OPERATOR in entry.roles))
        and protocol in entry.protocols
        and covers(scopes, entry.scope)
    }


def public(protocol: int = 4) -> list[str]:
    """Return the method names for ``hello.features.methods``."""
    names = {
        name
        for name, entry in METHODS.items()
        if entry.roles & {OPERATOR, NODE} and protocol in entry.protocols
    }
    return sorted(names | _late.keys())


def repeatable(protocol: int = 4) -> dict[str, list[str]]:
    """Return the names of methods that may be called again, for clients that ask for them."""
    names, methods = public(protocol), import_all()
    kinds = (Repeat.ALWAYS, Repeat.WITH_KEY)
    return {kind.value: [each for each in names if methods[each].repeat is kind] for kind in kinds}


def refusal(name: str, role: str, protocol: int, scopes: tuple[str, ...] = (ADMIN,)) -> RemoteError:
    """Return the error for a method that the client may not use or that does not exist.

    Protocol 3 checks the scope of a method before its existence: a name that is not in the
    table needs ``operator.admin``. A node learns of no method but its own.
    """
    entry = find(name)
    if entry is not None and not (entry.roles & {OPERATOR, NODE} and protocol in entry.protocols):
        entry = None  # the supervisor's own, or the other protocol's: it does not exist for clients
    if role == NODE or (entry is not None and role not in entry.roles):
        return RemoteError(INVALID_REQUEST, f"unauthorized role: {role}")
    if entry is not None:
        return missing_scope(entry.scope, protocol)
    if protocol < 4 and role == OPERATOR and not covers(scopes, ADMIN):
        return missing_scope(ADMIN, protocol)
    return RemoteError(INVALID_REQUEST, f"unknown method: {name[:128]}")


def missing_scope(scope: str | None, protocol: int) -> RemoteError:
    """Return the error for a client without a scope, in the form of its protocol."""
    text = f"missing scope: {scope}"
    if protocol < 4:
        return RemoteError(INVALID_REQUEST, text)
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    return RemoteError(FORBIDDEN, text, details=details)
