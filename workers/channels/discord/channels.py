"""Keeps the channels of a bot: their names, and which of them are threads. Pure."""

from __future__ import annotations

from collections import OrderedDict

from workers.channels.discord.objects import DIRECT, THREADS, DiscordChannel
from workers.messages import Chat

MOST_CHANNELS = 5_000  # remembered at once


class KnownChannels:
    """The most recently used channels."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, DiscordChannel] = OrderedDict()

    def set(self, channel: DiscordChannel) -> DiscordChannel | None:
        """Set the present state of a channel; return the one that was known before."""
        before = self._known.pop(channel.id, None)
        self._known[channel.id] = channel
        while len(self._known) > MOST_CHANNELS:
            self._known.popitem(last=False)
        return before

    def forget(self, channel: str) -> None:
        """Remove a channel that is gone."""
        self._known.pop(channel, None)

    def get(self, channel: str) -> DiscordChannel | None:
        """Return a channel; ``None`` when it is not known."""
        return self._known.get(channel)

    def name(self, channel: str) -> str | None:
        """Return the name of a channel; ``None`` if it is not known."""
        known = self._known.get(channel)
        return None if known is None else known.name

    def place(self, channel: str, guild: str | None) -> tuple[Chat, str | None]:
        """Return the chat and the thread of messages in a channel.

        A thread belongs to the chat of its parent channel.
        """
        known = self._known.get(channel)
        if known is not None and known.type in THREADS and known.parent_id:
            title = self.name(known.parent_id)
            return Chat(id=known.parent_id, kind="group", title=title), channel
        direct = guild is None and (known is None or known.type == DIRECT)
        title = known.name if known is not None else None
        if direct and known is not None and known.recipients:
            title = known.recipients[0].global_name or known.recipients[0].username
        return Chat(id=channel, kind="direct" if direct else "group", title=title or None), None
