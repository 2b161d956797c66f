"""Explains exceptions that a plugin did not raise on purpose. Pure.

The plugin's own ``explain`` is asked first, for each member of a group; then the kind decides: what
a network does passes by itself.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from ipc.connection_errors import failure_text, is_connection_failure
from workers.errors import ChannelError, MaybeSent, SendFailed

M = TypeVar("M")
R = TypeVar("R")

Explain = Callable[[BaseException], ChannelError | None]

# Classes by top-level package and name: libraries are not imported for this.
_NETWORK = frozenset({("aiohttp", "ClientError"), ("asyncio", "IncompleteReadError")})
# Raised before a connection exists, so that nothing can have been sent.
_NOT_CONNECTED = frozenset(
    {
        ("builtins", "ConnectionRefusedError"),
        ("socket", "gaierror"),
        ("aiohttp", "ClientConnectorError"),
    }
)


def unexplained(error: BaseException) -> ChannelError | None:
    """Explain nothing: the ``Explain`` of a plugin that has none."""
    return None


def guarded(explain: Any, log: Any) -> Explain:
    """Return a plugin's ``explain`` so that its own faults are logged and explain nothing."""

    def ask(error: BaseException) -> ChannelError | None:
        try:
            found = explain(error)
        except Exception:
            log.exception("the plugin's explain failed")
            return None
        if found is None or isinstance(found, ChannelError):
            return found
        log.error("the plugin's explain returned no ChannelError", returned=type(found).__name__)
        return None

    return ask


def members(error: BaseException, explain: Explain = unexplained) -> list[BaseException]:
    """Return the members of a group, or the error alone, each explained where that is possible."""
    return [
        leaf if isinstance(leaf, ChannelError) else explain(leaf) or leaf for leaf in _leaves(error)
    ]


def explaining(
    function: Callable[[M], Awaitable[R]], explain: Explain
) -> Callable[[M], Awaitable[R]]:
    """Return ``function`` so that it raises what its errors mean, as far as ``explain`` knows.

    Who paces and splits what a plugin sends must know what an error asks for, too.
    """

    async def call(message: M) -> R:
        try:
            return await function(message)
        except ChannelError:
            raise
        except Exception as error:
            known = [leaf for leaf in members(error, explain) if isinstance(leaf, ChannelError)]
            if known:
                raise known[0] from error
            raise

    return call


def is_network_error(error: BaseException) -> bool:
    """Return whether an error is one of the system or the network, which passes by itself.

    ``OSError`` has ``ssl.SSLError``, ``TimeoutError`` and the errors of name resolution below it.
    That this process has as many files open as it may is no such error: it has not closed them.
    """
    if isinstance(error, OSError):
        return error.errno != errno.EMFILE
    return _is_one_of(error, _NETWORK)


def ends_the_account(error: BaseException) -> bool:
    """Return whether an error means that the account cannot go on."""
    return isinstance(error, ChannelError) and not isinstance(error, SendFailed)


def failed_send(error: BaseException) -> SendFailed | None:
    """Return what a network error out of ``send`` means; ``None`` when it is no network error.

    Before there is a connection nothing was sent; afterwards nobody can tell.
    """
    if not is_network_error(error):
        return None
    if is_connection_failure(error):
        text = failure_text(error)
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if _is_one_of(error, _NOT_CONNECTED):
        return SendFailed(text, reason="unavailable")
    return MaybeSent(text)


def _is_one_of(error: BaseException, classes: frozenset[tuple[str, str]]) -> bool:
    return any(
        (kind.__module__.partition(".")[0], kind.__name__) in classes
        for kind in type(error).__mro__
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
