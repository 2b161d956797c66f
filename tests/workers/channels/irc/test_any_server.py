"""Whatever bytes a server sends, the client answers in lines, or ends with a cause."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.workers.channels.irc.running_account import config
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.deliveries import Deliveries
from workers.channels.irc.lines import LineBuffer, LineError, parse
from workers.channels.irc.outputs import Heard, Output, PongReceived, SendLine, Undelivered
from workers.channels.irc.translation import compose, to_inbound
from workers.errors import ChannelError, SendFailed
from workers.links.events import EventEncoder, body_of
from workers.messages import Inbound, MessageEvent, Outbound

SASL = {"user": "bot", "password": "secret"}
WORDS = st.one_of(
    st.sampled_from(
        [b"tester", b"#a", b"#b,#a", b"x!u@h", b"*", b"LS", b"ACK", b"NAK", b"NEW", b"DEL", b"+",
         b"sasl", b"sasl=EXTERNAL", b"batch", b"lag-1", b"said-1", b"said-" + b"9" * 5000, b"+1",
         b"-1", b"chathistory", b"BOT=:", b"BOT=B", b"CASEMAPPING=ascii", b"CHANTYPES=", b"PREFIX",
         b"-CASEMAPPING", b"STATUSMSG=@+", b"PRIVMSG", b"JOIN", b":", b"", b"\0", b"a\0b", b"\xff",
         b"A" * 400, b"n" * 600, b"\1ACTION x\1", b"\1", b"tester: hi", b"You are identified"]
    ),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
)  # fmt: skip
NAMES = (
    b"001 005 332 353 366 376 396 401 404 422 432 433 437 461 464 470 474 900 901 903 904 905 907"
    b" 908 465 CAP AUTHENTICATE PING PONG PRIVMSG NOTICE JOIN PART KICK NICK QUIT MODE INVITE"
    b" CHGHOST KILL ERROR BATCH FAIL WARN NOTE TAGMSG ACCOUNT"
)
COMMANDS = st.one_of(st.sampled_from(NAMES.split()), st.binary(min_size=1, max_size=5))
SOURCES = st.sampled_from(
    [b"", b":s ", b":tester!u@h ", b":x!u@h ", b":!u@h ", b":" + b"n" * 700 + b"!u@h ", b": ",
     b":NickServ!s@s ", b":tester ", b":@ "]
)  # fmt: skip
TAGS = st.sampled_from(
    [b"", b"@time=2001-01-01T00:00:00.000Z ", b"@time=0001-01-01 ", b"@batch=1 ", b"@batch= ",
     b"@msgid=" + b"m" * 600 + b" ", b"@account=\\ ", b"@ ", b"@bot;time= "]
)  # fmt: skip
LINES = st.one_of(
    st.builds(
        lambda tags, source, command, words, colon: (
            tags + source + command + b" " + b" ".join(words[:-1])
            + (b" :" if colon else b" ") + b"".join(words[-1:])
        ),
        TAGS, SOURCES, COMMANDS, st.lists(WORDS, max_size=5), st.booleans(),
    ),
    st.binary(max_size=60),
)  # fmt: skip
STARTS = {
    "before anything": [],
    "inside": [b":s 001 tester :Welcome", b":s 376 tester :End", b":tester!u@h JOIN #a"],
    "in the login": [b"CAP * LS :batch sasl=PLAIN", b"CAP x ACK :batch"],
    "under an odd name": [b":s 001 :a b :\0", b":s 005 x BOT=:", b":s 376 x :End"],
}
FIELDS: list[dict[str, object]] = [
    {"channels": ["#a", "#b k"], "nickserv": {"password": "x"}},
    {"channels": ["#a"], "sasl": SASL},
]


class Client:
    """The pure parts of the plugin, and what it does with their outputs."""

    def __init__(self, **fields: object) -> None:
        self.config = config(**fields)
        self.conversation = Conversation(self.config, 0.0, 1_700_000_000_000)
        self.deliveries = Deliveries()
        self.encoder = EventEncoder("irc:test", 1)
        self.ids = map(str, itertools.count(1))
        self.buffer = LineBuffer()
        self.perform(self.conversation.start())

    def feed(self, data: bytes, now: float) -> None:
        for raw in self.buffer.feed(data):
            try:
                got = parse(raw)
            except LineError:
                continue
            self.perform(self.conversation.receive(got, now))

    def perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case SendLine():
                    data = output.line.encode()
                    assert data
                    assert len(data) <= 510
                    assert not set(data) & set(b"\r\n\0")
                case Heard():
                    self.check(to_inbound(output, lambda: next(self.ids), 1))
                case PongReceived():
                    self.deliveries.on_pong(output.token)
                case Undelivered():
                    self.deliveries.refuse(output.targets, output.text)
        assert self.conversation.summary()
        self.conversation.detail()

    def check(self, message: Inbound) -> None:
        event = msgspec.json.decode(self.encoder.inbound(1, body_of(message)), type=MessageEvent)
        assert msgspec.json.decode(event.message, type=Inbound).ts >= 0

    def say(self, to: str) -> None:
        with contextlib.suppress(SendFailed):
            for text in compose(Outbound(to=to, text="hello", key="k"), self.config,
                                self.conversation):  # fmt: skip
                assert len(text.encode()) <= 510


async def _hear(start: str, fields: dict[str, object], lines: list[bytes], cut: int) -> None:
    client = Client(**fields)
    client.deliveries.begin("#a", 1).count_line()
    now = 0.0
    with contextlib.suppress(ChannelError):
        client.feed(b"".join(line + b"\r\n" for line in STARTS[start]), now)
        data = b"".join(line + b"\n" for line in lines)
        for piece in (data[:cut], data[cut:]):
            now += 1.0
            client.feed(piece, now)
            client.perform(client.conversation.on_timer(now))
            client.say("#a")
            client.say("al")
        for _ in range(5):
            now += 40.0
            client.perform(client.conversation.on_timer(now))


@pytest.mark.parametrize("start", STARTS)
@given(st.sampled_from(FIELDS), st.lists(LINES, max_size=12), st.integers(0, 300))
@example(FIELDS[0], [b"PING :a\0b"], 0)
@example(FIELDS[0], [b"PING " + b"x" * 600], 0)
@example(FIELDS[0], [b"PONG s :said-" + b"9" * 5000], 0)
@example(FIELDS[0], [b":s 005 x BOT=:", b":s 376 x :End"], 0)
@example(FIELDS[0], [b":!u@h PRIVMSG #a :hi", b":" + b"n" * 700 + b"!u@h PRIVMSG tester :hi"], 0)
@example(FIELDS[0], [b"@msgid=" + b"m" * 600 + b" :al!a@h PRIVMSG #a :hi"], 0)
@example(FIELDS[0], [b":tester!u@h NICK :a b", b":x!u@h QUIT"], 0)
def test_nothing_that_a_server_sends_breaks_the_client(
    start: str, fields: dict[str, object], lines: list[bytes], cut: int
) -> None:
    asyncio.run(_hear(start, fields, lines, cut))
