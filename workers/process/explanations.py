"""Explains exceptions that a plugin did not raise on purpose. Pure.

The plugin's own ``explain`` is called first, for each member of a group; then the type decides: a
network error is transient.
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
    """Explain nothing; used for a plugin without ``explain``."""
    return None


def guarded(explain: Any, log: Any) -> Explain:
    """Wrap a plugin's ``explain``: its own exceptions are logged, and explain nothing."""

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
    """Return the members of a group, or the error itself, each replaced by its explanation."""
    return [
        leaf if isinstance(leaf, ChannelError) else explain(leaf) or leaf for leaf in _leaves(error)
    ]


def explaining(
    function: Callable[[M], Awaitable[R]], explain: Explain
) -> Callable[[M], Awaitable[R]]:
    """Wrap ``function`` so that it raises the explanations of its errors.

    The code that paces and splits a plugin's messages needs the meaning of errors, too.
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
    """Return whether an error is a transient one of the system or the network.

    ``OSError`` includes ``ssl.SSLError``, ``TimeoutError`` and errors of name resolution. Too many
    open files in this process is not such an error: it is a leak.
    """
    if isinstance(error, OSError):
        return error.errno != errno.EMFILE
    return _is_one_of(error, _NETWORK)


def ends_the_account(error: BaseException) -> bool:
    """Return whether an error means that the account must end."""
    return isinstance(error, ChannelError) and not isinstance(error, SendFailed)


def failed_send(error: BaseException) -> SendFailed | None:
    """Return the ``SendFailed`` for a network error in ``send``; ``None`` for other errors.

    Before there was a connection nothing was sent; afterwards the outcome is unknown.
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
