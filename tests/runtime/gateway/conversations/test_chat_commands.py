"""Which messages are commands, what they do, and what is answered."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runtime.config.sessions import CommandsConfig, QueueConfig
from runtime.gateway.conversations.chat_commands import (
    COMMANDS,
    STOP_WORDS,
    ChatCommand,
    ChatFacts,
    CommandName,
    answer,
    is_owner,
    is_stop_word,
    read_command,
    read_queue_words,
)
from runtime.gateway.conversations.origins import Origin

ADA = Origin(channel="telegram", account="b", kind="direct", chat="905", peer="905")
FACTS = ChatFacts(
    session="agent:ops:telegram:b:direct:905",
    agent="ops",
    route="the message goes to ops by its account",
    queue=QueueConfig(debounce_ms=300),
    agents=["main", "ops"],
    version="0.9",
)
OWNED = CommandsConfig(owner_allow_from=["telegram:905"])

READ = [
    ("/new", ChatCommand("new")),
    ("  /NEW\n", ChatCommand("new")),
    ("/new hello\nthere ", ChatCommand("new", "hello\nthere")),
    ("/new: hello", ChatCommand("new", "hello")),
    ("/reset", ChatCommand("reset")),
    ("/stop", ChatCommand("stop")),
    ("/stop@Bot", ChatCommand("stop")),
    ("/stop@bot now", ChatCommand("stop", "now")),
    ("/queue collect cap:5", ChatCommand("queue", "collect cap:5")),
    ("/agent  main ", ChatCommand("agent", "main")),
    ("/stop@other", None),
    ("/nosuch x", None),
    ("/newest", None),
    ("/new/x", None),
    ("//new", None),
    ("/ new", None),
    ("new", None),
    ("/", None),
    ("", None),
    ("say /new", None),
    ("/ﬁx", None),
]


@pytest.mark.parametrize(("text", "command"), READ)
@pytest.mark.parametrize("busy", [False, True])
def test_a_command_begins_with_a_slash(text: str, command: ChatCommand | None, busy: bool) -> None:
    assert read_command(text, busy=busy, names=["BOT"]) == command


NAMED = [
    ("@Trunk Line /new hello", ChatCommand("new", "hello")),
    ("@trunk line: /stop", ChatCommand("stop")),
    ("trunk, /stop", ChatCommand("stop")),
    ("/stop @Trunk Line", ChatCommand("stop")),
    ("/stop, trunk", ChatCommand("stop")),
    ("/new hello @Trunk Line", ChatCommand("new", "hello")),
    ("/new@trunk hello", ChatCommand("new", "hello")),
    ("trunk: please stop", ChatCommand("stop", bare=True)),
    ("stop @trunk line", ChatCommand("stop", bare=True)),
    ("trunks: /stop", None),
    ("ask trunk: /stop", None),
    ("bob: /stop is what you need, trunk", None),
    ("@Trunk Line", None),
]


@pytest.mark.parametrize(("text", "command"), NAMED)
def test_a_command_may_stand_behind_the_name_of_the_account(
    text: str, command: ChatCommand | None
) -> None:
    assert read_command(text, busy=True, names=["@Trunk Line", "trunk"]) == command
    if command is not None and not text.startswith("/"):
        assert read_command(text, busy=True) is None


STOPS = [
    "stop",
    "STOP!!",
    "Stop.",
    " please   stop ",
    "stop ✋\ufe0f",
    "«стоп»",
    "\uff53\uff54\uff4f\uff50",
    "停止。",
    "やめて!",
    "hör auf",
    "ho\u0308r auf",
    "बंद करो",
    "dừng lại",
    "never mind...",
    "🛑 halt 🛑",
]


def test_a_bare_word_stops_a_turn_that_runs() -> None:
    for text in [*STOPS, *STOP_WORDS]:
        assert is_stop_word(text), text
        assert read_command(text, busy=True) == ChatCommand("stop", bare=True)
        assert read_command(text, busy=False) is None


@pytest.mark.parametrize(
    "text",
    ["", "!", "✋", "stop the server", "don't stop", "stopped", "s t o p", "stop" * 20, "para mi"],
)
def test_a_sentence_about_stopping_is_for_the_agent(text: str) -> None:
    assert read_command(text, busy=True) is None


def test_the_words_are_of_many_languages() -> None:
    assert len(STOP_WORDS) > 100
    assert "" not in STOP_WORDS
    assert {"stop", "abbrechen", "arrête", "стоп", "停止", "توقف"} <= STOP_WORDS


def say(text: str, commands: CommandsConfig = OWNED, origin: Origin = ADA, **facts: Any) -> Any:
    command = read_command(text, busy=True)
    assert command is not None
    return answer(command, replace(FACTS, **facts), origin, commands)


@pytest.mark.parametrize(
    ("text", "message"), [("/new", None), ("/reset", None), ("/new what now", "what now")]
)
def test_a_new_session_may_begin_with_a_message(text: str, message: str | None) -> None:
    found = say(text)
    assert (found.effect, found.message) == ("reset", message)
    assert found.text == "A new session begins. What was said before is forgotten."


@pytest.mark.parametrize(
    ("running", "waiting", "text"),
    [
        (True, 0, "Stopped."),
        (True, 1, "Stopped, and 1 waiting message dropped."),
        (True, 3, "Stopped, and 3 waiting messages dropped."),
        (False, 0, "Nothing is running."),
        (False, 2, "Nothing was running; 2 waiting messages dropped."),
    ],
)
def test_stop_says_what_it_has_ended(running: bool, waiting: int, text: str) -> None:
    for word in ("/stop", "halt"):
        found = say(word, running=running, waiting=waiting)
        assert (found.effect, found.text) == ("stop", text)


def test_status_shows_the_conversation() -> None:
    found = say("/status", messages=4, uptime_seconds=7300.0)
    assert found.effect == "none"
    assert found.text.splitlines() == [
        "Trunkline 0.9",
        "Agent: ops",
        "Session: agent:ops:telegram:b:direct:905",
        "Now: no turn runs, 0 waiting",
        "Messages: 4",
        "Queue: collect, debounce 300 ms, cap 20",
        "Up since 2 h",
    ]
    assert say("/status", version="").text.startswith("Trunkline\nAgent")
    more = say("/status", running=True, running_seconds=75.4, waiting=2, model="m", tokens=(5, 6))
    assert "Agent: ops (m)" in more.text
    assert "Now: a turn runs since 75 s, 2 waiting" in more.text
    assert "Tokens: 5 in, 6 out" in more.text
    assert "Up since 0 s" in more.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert say("/status", uptime_seconds=seconds).text.endswith(f"Up since {text}")


def test_help_names_every_command() -> None:
    lines = say("/help").text.splitlines()
    assert len(lines) == len(COMMANDS) + 1
    for line, (_, usage, what) in zip(lines, COMMANDS.values(), strict=False):
        assert line.startswith(usage)
        assert line.endswith(f"  {what}")
    assert lines[-1] == "Everything else goes to the agent."
    assert set(COMMANDS) == set(get_args(CommandName))


def test_whoami_shows_what_lists_must_name() -> None:
    assert say("/whoami").text.splitlines() == [
        "You: telegram:905",
        "Account: telegram:b",
        "Chat: direct 905",
        "Session: agent:ops:telegram:b:direct:905",
        "Owner: yes",
    ]
    other = replace(ADA, verified=False, thread="7", kind="group", chat="-1")
    text = say("/whoami", origin=other).text
    assert "You: telegram:905 (the platform does not vouch for it)" in text
    assert "Chat: group -1\nThread: 7" in text
    assert text.endswith("Owner: no")


OPTIONS = "Options: collect, followup, interrupt or default, debounce:<ms|s|m>, cap:<number>."
QUEUES = [
    ("followup", QueueConfig(mode="followup", debounce_ms=300)),
    ("Interrupt cap:5", QueueConfig(mode="interrupt", debounce_ms=300, cap=5)),
    ("debounce:2s", QueueConfig(debounce_ms=2000)),
    ("debounce:1m cap:1000", QueueConfig(debounce_ms=60_000, cap=1000)),
    ("debounce:0 cap:1", QueueConfig(debounce_ms=0, cap=1)),
    ("debounce:7ms", QueueConfig(debounce_ms=7)),
    ("steer", QueueConfig(mode="steer", debounce_ms=300)),
]
WRONG = [
    "often",
    "collect:1",
    "debounce",
    "debounce:",
    "debounce:2m",
    "debounce:60001",
    "debounce:-1",
    "debounce:1h",
    "debounce:9999999999",
    "debounce:²",
    "cap:0",
    "cap:1001",
    "cap:5s",
    "cap",
    "collect drop:old",
]


@pytest.mark.parametrize(("words", "queue"), QUEUES)
def test_the_queue_of_a_session_can_be_set(words: str, queue: QueueConfig) -> None:
    assert read_queue_words(words, FACTS.queue) == queue
    found = say(f"/queue {words}")
    assert (found.effect, found.queue) == ("queue", queue)
    assert found.text.startswith(
        f"Queue: {queue.mode}, debounce {queue.debounce_ms} ms, cap {queue.cap}."
    )
    assert ("steer is not there" in found.text) is (queue.mode == "steer")
    assert found.text.endswith("followups." if queue.mode == "steer" else f"cap {queue.cap}.")


def test_words_change_only_what_they_name() -> None:
    now = QueueConfig(mode="interrupt", debounce_ms=7, cap=3)
    assert read_queue_words("collect", now) == QueueConfig(mode="collect", debounce_ms=7, cap=3)
    assert read_queue_words("cap:4", now) == QueueConfig(mode="interrupt", debounce_ms=7, cap=4)
    assert read_queue_words("", now) == now


@pytest.mark.parametrize("words", WRONG)
def test_what_the_queue_does_not_know_changes_nothing(words: str) -> None:
    found = say(f"/queue {words}")
    assert (found.effect, found.queue) == ("none", None)
    assert found.text == f"{words.split()[-1]} is none of them. {OPTIONS}"


def test_the_queue_is_shown_and_set_back() -> None:
    shown = say("/queue", waiting=2)
    assert shown.text == f"Queue: collect, debounce 300 ms, cap 20. 2 waiting. {OPTIONS}"
    assert shown.effect == "none"
    for word in ("default", "Reset"):
        back = say(f"/queue {word}")
        assert (back.effect, back.queue) == ("queue", None)
        assert back.text == "The queue is as configured again."
    unset = say("/queue", queue=QueueConfig())
    assert "debounce 0 ms" in unset.text


def test_everybody_may_see_who_answers() -> None:
    found = say("/agent", CommandsConfig())
    assert found.text == "ops answers here: the message goes to ops by its account."
    assert found.effect == "none"


def test_an_owner_may_choose_who_answers() -> None:
    found = say("/agent main")
    assert (found.effect, found.agent, found.refused) == ("agent", "main", False)
    assert found.text == "main answers here from now on."
    back = say("/agent default")
    assert (back.effect, back.agent) == ("agent", None)
    assert back.text == "The agent is as configured again."


@pytest.mark.parametrize(
    ("name", "agents", "text"),
    [
        ("nobody", ["main", "ops"], "There is no agent nobody. There are: main, ops."),
        ("none", [], "There is no agent none. There are: none."),
        ("a\x07b", ["m"], "There is no agent a b. There are: m."),
        ("x" * 121, ["m"], f"There is no agent {'x' * 120}…. There are: m."),
        ("x" * 120, ["m"], f"There is no agent {'x' * 120}. There are: m."),
    ],
)
def test_an_agent_that_is_not_there_is_not_chosen(name: str, agents: list[str], text: str) -> None:
    found = say(f"/agent {name}", agents=agents)
    assert (found.effect, found.text) == ("none", text)


@pytest.mark.parametrize(
    ("commands", "origin", "entry"),
    [
        (CommandsConfig(), ADA, "telegram:905"),
        (CommandsConfig(owner_allow_from=[]), ADA, "telegram:905"),
        (OWNED, replace(ADA, peer="906"), "telegram:906"),
        (OWNED, replace(ADA, verified=False), "unverified:telegram:905"),
        (OWNED, replace(ADA, channel="slack"), "slack:905"),
    ],
)
def test_others_are_told_how_to_become_owners(
    commands: CommandsConfig, origin: Origin, entry: str
) -> None:
    for name in ("main", "default", "nobody"):
        found = say(f"/agent {name}", commands, origin)
        assert (found.effect, found.refused) == ("none", True)
        assert found.text == (
            "Only an owner may choose the agent. Whoever runs this may add "
            f'"{entry}" to commands.ownerAllowFrom.'
        )
    allowed = CommandsConfig(owner_allow_from=[entry])
    assert is_owner(allowed, origin)


def test_everybody_may_be_an_owner() -> None:
    assert is_owner(CommandsConfig(owner_allow_from=["*"]), replace(ADA, verified=False))
    assert not is_owner(CommandsConfig(owner_allow_from=["905", 905]), ADA)


@given(st.text(max_size=30) | st.builds("/{} {}".format, st.sampled_from([*COMMANDS]), st.text()))
def test_any_text_is_for_the_agent_or_has_an_answer(text: str) -> None:
    for busy in (False, True):
        command = read_command(text, busy=busy)
        if command is not None:
            found = answer(command, FACTS, ADA, OWNED)
            assert found.text
            assert command.name in COMMANDS
            assert len(found.text) < 2000
