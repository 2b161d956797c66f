"""Sends the files of one message in groups, where the platform accepts only some at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from workers.errors import MaybeSent, SendFailed

F = TypeVar("F")
T = TypeVar("T")


def groups_of(files: Sequence[F], most: int) -> list[Sequence[F]]:
    """Divide files into groups of at most ``most``, in order."""
    return [files[at : at + most] for at in range(0, len(files), most)]


async def send_groups(groups: Sequence[F], send: Callable[[int, F], Awaitable[T]], what: str) -> T:
    """Call ``send(number, group)`` for each group in order; return the first result.

    Raises ``SendFailed`` if the first one fails, ``MaybeSent`` if a later one does: a part of the
    message is in the chat. ``what`` names the groups in its text.
    """
    sent: list[T] = []
    for number, group in enumerate(groups):
        try:
            sent.append(await send(number, group))
        except SendFailed as error:
            if not sent:
                raise
            raise MaybeSent(f"{number} of {len(groups)} {what} were sent; {error}") from None
    return sent[0]
