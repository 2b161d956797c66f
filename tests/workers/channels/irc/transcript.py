"""Play lines of a server to the pure parts of the IRC client, and read the lines they send."""

from __future__ import annotations

from collections.abc import Iterable

from tests.workers.channels.irc.running_account import config
from workers.channels.irc.config import IrcConfig
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.lines import Line, parse
from workers.channels.irc.outputs import Output, SendLine


def line(text: str) -> Line:
    """Return the line a server would have sent."""
    return parse(text.encode())


def sent(outputs: Iterable[Output]) -> list[str]:
    """Return the lines among the outputs."""
    return [output.line for output in outputs if isinstance(output, SendLine)]


def registered(now: float = 0.0, **fields: object) -> tuple[Conversation, list[Output]]:
    """Return a conversation after the MOTD, and what it wanted done until then."""
    settings: IrcConfig = config(**fields)
    conversation = Conversation(settings, now)
    out = conversation.start()
    out += play(conversation, f":s 001 {settings.nick} :Welcome", ":s 376 x :End", now=now)
    return conversation, out


def play(conversation: Conversation, *texts: str, now: float = 0.0) -> list[Output]:
    """Let the server say all of these at one time."""
    out: list[Output] = []
    for text in texts:
        out += conversation.receive(line(text), now)
    return out
