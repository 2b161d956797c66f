"""What becomes of messages: commands, runs of the right agent and session, context."""

from __future__ import annotations

from asyncio import TaskGroup
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ipc.epoch import now_ms
from runtime.config.access_policy import AccessPolicy
from runtime.config.sessions import (
    BindingConfig,
    BindingMatch,
    CommandsConfig,
    ResetConfig,
    SessionConfig,
)
from runtime.gateway.accounts.agents import MEANT
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.records import Arrived, Kept
from runtime.gateway.runs.reception import ConversationsConfig
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, store
from tests.support.outbox_life import OutboxLife
from tests.support.runs_life import final
from tests.support.until import until
from workers.agent import Delta, Turn
from workers.agents.prompts import entry_text
from workers.messages import Inbound

ADA = {"id": "person-1", "verified": True}
GROUP = {"id": "#room", "kind": "group"}


def later(turn: dict[str, Any]) -> None:
    """Leave a turn open."""


def said(life: OutboxLife) -> list[str]:
    """Return what the worker was to send."""
    return [call["message"]["text"] for call in life.calls]


class Chat:
    """One person who writes to the account, one message after the other."""

    def __init__(self, tasks: TaskGroup, config: ConversationsConfig | None = None) -> None:
        self.life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        if config is not None:
            self.life.reception.configure(config)
        self.life.welcome()
        self._count = 0

    async def writes(self, text: str, **more: Any) -> None:
        self._count += 1
        await self.life.hears(self._count, text=text, **({"sender": ADA} | more))

    async def pastes(self, *texts: str) -> None:
        """Write several messages that come at once, as after an outage."""
        first = self._count + 1
        self._count += len(texts)
        some = [payload(KEY, first + at, text=text, sender=ADA) for at, text in enumerate(texts)]
        ids: list[str | None] = [f"m{first + at}" for at in range(len(texts))]
        record = Arrived(KEY, 1, first, bytes([MEANT]) * len(texts), some, ids, at=now_ms())
        (kept,) = await store(self.life.journal, record)
        assert isinstance(kept, Kept)
        for part in kept.parts:
            self.life.answering.on_stored(KEY, 1, now_ms(), part)

    async def asks(self, text: str, **more: Any) -> str:
        """Write something, and return what comes back."""
        before = len(self.life.calls)
        await self.writes(text, **more)
        await until(lambda: len(self.life.calls) > before)
        return said(self.life)[-1]

    def sessions(self) -> list[str]:
        return [turn["session"] for _, turn in self.life.agent.turns]


async def test_a_command_is_answered_by_the_gateway_alone() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        assert "/new" in await chat.asks("/help")
        assert "irc:person-1" in await chat.asks("/whoami")
        assert "agent:echo:irc:libera:direct:person-1" in await chat.asks("/status")
        assert chat.life.agent.turns == []
        assert await chat.asks("/unknown to us") == "echo: /unknown to us"


async def test_a_command_of_owners_is_theirs_alone() -> None:
    commands = CommandsConfig(owner_allow_from=["irc:person-2"])
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        assert not chat.life.reception.has_owner
        chat.life.reception.configure(ConversationsConfig(commands=commands))
        assert chat.life.reception.has_owner
        assert '"irc:person-1" to commands.ownerAllowFrom' in await chat.asks("/agent default")


async def test_a_new_session_knows_nothing_and_may_begin_with_a_message() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        await chat.asks("one")
        await chat.asks("two")
        assert len(chat.life.agent.turns[-1][1]["history"]) == 2
        await chat.writes("/new three")
        await until(lambda: "echo: three" in said(chat.life))
        turn = chat.life.agent.turns[-1][1]
        assert (turn["text"], turn.get("history", [])) == ("three", [])
        session = await chat.life.journal.session(turn["session"])
        assert session is not None
        assert (session.runs, bool(session.id)) == (1, True)


async def test_a_new_session_may_begin_with_a_file_alone() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.agent.script = lambda turn: final("seen")
        await chat.writes("/new", attachments=[{"url": "media:1", "name": "a.png"}])
        await until(lambda: "seen" in said(chat.life))
        turn = chat.life.agent.turns[-1][1]
        assert (turn["text"], [each["url"] for each in turn["attachments"]]) == ("", ["media:1"])


async def test_stop_ends_the_turn_and_drops_what_waits() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.agent.script = later
        await chat.writes("one")
        await chat.writes("two")
        await until(lambda: len(chat.life.runs) == 2)
        assert await chat.asks("Please stop!") == "Stopped, and 1 waiting message dropped."
        await until(lambda: not len(chat.life.runs))
        assert len(chat.life.agent.cancelled) == 1
        chat.life.agent.script = lambda turn: final("stop is no command now")
        assert await chat.asks("stop") == "stop is no command now"


@pytest.mark.parametrize("word", ["/stop", "stop"])
async def test_stop_ends_what_came_with_it_too(word: str) -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        await chat.pastes("delete everything", word)
        await until(lambda: said(chat.life))
        await chat.life.rests()
        assert said(chat.life) == ["Nothing was running; 1 waiting message dropped."]
        assert (chat.life.agent.turns, len(chat.life.runs)) == ([], 0)


async def test_what_a_new_session_has_ended_is_not_in_it() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.agent.script = later
        await chat.writes("one")
        await until(lambda: chat.life.agent.turns)
        chat.life.agent.yields(chat.life.agent.names[-1], Delta("half an answer"))
        await chat.asks("/new")
        chat.life.agent.script = lambda turn: final("done")
        await chat.asks("two")
        assert chat.life.agent.turns[-1][1].get("history", []) == []


async def test_in_a_group_a_command_stands_behind_the_name_of_the_account() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.gatekeeper.configure({KEY: AccessPolicy(dm="open", group="open")})
        named = {"chat": GROUP, "addressed": True, "namedAs": ["bot"]}
        assert "irc:person-1" in await chat.asks("bot: /whoami", **named)
        assert chat.life.agent.turns == []


async def test_in_a_group_an_agent_knows_who_has_said_what() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.gatekeeper.configure({KEY: AccessPolicy(dm="open", group="open")})
        named = {"chat": GROUP, "addressed": True}
        await chat.asks("I like tea", sender={"id": "1", "name": "Ada"}, **named)
        await chat.asks("what do I like?", sender={"id": "2", "name": "Bob"}, **named)
        turn = msgspec.convert(chat.life.agent.turns[-1][1], Turn)
        assert [entry_text(each) for each in turn.history] == [
            "Ada: I like tea",
            "echo: I like tea",
        ]


async def test_the_queue_of_a_session_is_set_by_its_people() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.agent.script = later
        await chat.asks("/queue interrupt")
        await chat.writes("one")
        await until(lambda: len(chat.life.agent.turns) == 1)
        chat.life.agent.script = lambda turn: final(turn["text"])
        assert await chat.asks("two") == "two"
        assert len(chat.life.agent.cancelled) == 1


async def test_more_than_may_wait_is_said_once() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        chat.life.agent.script = later
        await chat.asks("/queue cap:1")
        for text in ("one", "two", "three", "four"):
            await chat.writes(text)
        await until(lambda: len(chat.life.calls) == 2)
        await until(lambda: len(chat.life.runs) == 2)
        assert "not taken" in said(chat.life)[-1]
        chat.life.end()


async def test_an_owner_chooses_the_agent_of_a_chat() -> None:
    async with TaskGroup() as tasks:
        owners = CommandsConfig(owner_allow_from=["irc:person-1"])
        chat = Chat(tasks, ConversationsConfig(commands=owners))
        entries = {"echo": {"kind": "echo"}, "other": {"kind": "echo"}}
        chat.life.agents.configure({"default": "echo", "entries": entries})
        assert "owner" in await chat.asks("/agent other", sender={"id": "bob"})
        await chat.asks("/agent other")
        chat.life.agent.script = later
        await chat.writes("hello")
        await until(lambda: chat.life.agent.turns)
        assert chat.sessions() == ["agent:other:irc:libera:direct:person-1"]
        await chat.asks("/agent default")
        await chat.writes("hello")
        await until(lambda: len(chat.life.agent.turns) == 2)
        assert chat.sessions()[1] == "agent:echo:irc:libera:direct:person-1"
        chat.life.end()


async def test_bindings_say_who_answers_and_none_is_nobody() -> None:
    async with TaskGroup() as tasks:
        bindings = [
            BindingConfig("none", BindingMatch(channel="irc", account_id="*")),
        ]
        chat = Chat(tasks, ConversationsConfig(bindings=bindings))
        await chat.writes("hello")
        await chat.life.rests()
        assert chat.life.agent.turns == []
        assert chat.life.gatekeeper.figures(KEY) == {"drop": {"no-agent": 1}}


async def test_the_line_that_chooses_an_agent_is_there() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        known = {"default": "echo", "entries": {"echo": {"kind": "echo"}}}
        chat.life.agents.configure(known | {"accounts": {KEY: "echo"}})
        assert (
            await chat.asks("/agent") == "echo answers here: the message goes to echo by default."
        )
        chat.life.agents.configure(known | {"default": "none", "accounts": {KEY: "echo"}})
        assert "by its account's own field" in await chat.asks("/agent")
        said = {"accounts": {KEY: "echo"}, "lines": {KEY: "channels.irc.agent"}}
        chat.life.agents.configure(known | said)
        fields = {"id": "m", "chat": {"id": "ada", "kind": "direct"}, "sender": ADA}
        message = msgspec.convert(fields | {"text": "hello", "ts": 1}, Inbound)
        found, lines = chat.life.reception.explain_route(KEY, message)
        assert (found.agent, found.source) == ("echo", "channels.irc.agent")
        assert lines == [f"channels.irc.agent counts: {found.reason}"]


async def test_a_binding_answers_for_an_account_without_an_agent() -> None:
    async with TaskGroup() as tasks:
        bindings = [BindingConfig("echo", BindingMatch(channel="irc", account_id="*"))]
        chat = Chat(tasks, ConversationsConfig(bindings=bindings))
        chat.life.agents.configure({"default": "none", "entries": {"echo": {"kind": "echo"}}})
        assert await chat.asks("hello") == "echo: hello"


async def test_what_was_not_meant_for_the_account_is_told_with_the_next_run() -> None:
    async with TaskGroup() as tasks:
        chat = Chat(tasks)
        policy = AccessPolicy(dm="open", group="open")
        chat.life.gatekeeper.configure({KEY: policy})
        await chat.writes("shall we eat?", chat=GROUP, sender={"id": "bob", "name": "Bob"})
        await chat.writes("yes", chat=GROUP)
        await chat.asks("where?", chat=GROUP, addressed=True)
        ((_, turn),) = chat.life.agent.turns
        heard = [(each["name"], each["text"]) for each in turn["history"]]
        assert (turn["text"], heard) == (
            "where?",
            [("Bob", "shall we eat?"), ("person-1", "yes")],
        )
        await chat.asks("when?", chat=GROUP, addressed=True)
        assert [each["text"] for each in chat.life.agent.turns[1][1]["history"]] == [
            "where?",
            "echo: where?",
        ]


async def test_a_conversation_that_has_rested_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TaskGroup() as tasks:
        session = SessionConfig(reset=ResetConfig(idle_minutes=10))
        chat = Chat(tasks, ConversationsConfig(session=session))
        await chat.asks("one")
        await chat.asks("two")
        assert len(chat.life.agent.turns[-1][1]["history"]) == 2
        now = now_ms()
        monkeypatch.setattr("runtime.gateway.runs.reception.now_ms", lambda: now + 11 * 60_000)
        await chat.asks("three")
        assert chat.life.agent.turns[-1][1].get("history", []) == []


def chat_since(seconds: int, tasks: TaskGroup, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Return a chat at a gateway that has begun some time ago."""
    with monkeypatch.context() as patch:
        began = now_ms() - seconds * 1000
        patch.setattr("runtime.gateway.runs.reception.now_ms", lambda: began)
        return Chat(tasks)


@pytest.mark.parametrize(
    ("stored", "written", "late"),
    [(0, 0, False), (60, 60, True), (0, 60, True), (60, 0, True), (0, 2, False), (0, 10**9, False)],
)
async def test_what_was_written_while_nobody_took_it_is_late(
    stored: int, written: int, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TaskGroup() as tasks:
        chat = chat_since(3600, tasks, monkeypatch)
        chat.life.agent.script = later
        now = now_ms()
        await chat.writes("hello", at=now / 1000 - stored, ts=now - written * 1000)
        await until(lambda: len(chat.life.runs) == 1)
        (live,) = chat.life.runs.of_session("agent:echo:irc:libera:direct:person-1")
        assert live.run.late is late


@pytest.mark.parametrize("away", ["gateway", "account", "platform"])
async def test_what_was_written_in_a_short_outage_is_taken_whole_and_in_order(
    away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty messages of one second, in which nobody was there: three times what may wait."""
    async with TaskGroup() as tasks:
        chat = chat_since(0 if away == "gateway" else 3600, tasks, monkeypatch)
        chat.life.agent.script = later
        now = now_ms()
        row = chat.life.accounts.rows[KEY]
        if away == "account":
            row = replace(row, ready_at=now)
        elif away == "platform":
            row = replace(row, plugin={"connected": True, "lastConnectedAt": now})
        chat.life.accounts.rows[KEY] = row
        for number in range(60):
            await chat.writes(f"n{number}", ts=now - 1000 + number)
        await until(lambda: len(chat.life.runs) == 60)
        live = chat.life.runs.of_session("agent:echo:irc:libera:direct:person-1")
        assert [each.run.request.text for each in live] == [f"n{each}" for each in range(60)]
        assert chat.life.calls == []  # nobody is told that too many wait
