from __future__ import annotations

import msgspec
import pytest

from tests.support.agents import asked
from workers.agent import HistoryItem
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.requests import NO_WORDS, agent_params, begins_anew, key_there
from workers.messages import Attachment, Chat, Sender

CONFIG = OpenClawConfig("ws://127.0.0.1:18789", agent_id="ops", instructions="Be brief.")


@pytest.mark.parametrize(
    ("session", "there"),
    [
        ("agent:main:main", "agent:ops:main"),
        ("agent:main:irc:libera:direct:ann", "agent:ops:irc:libera:direct:ann"),
        ("agent:main:telegram:group:-1002:topic:7", "agent:ops:telegram:group:-1002:topic:7"),
        ("hook:0199", "agent:ops:hook:0199"),
        ("agent:main", "agent:ops:agent:main"),
        ("global", "agent:ops:global"),
    ],
)
def test_a_conversation_has_the_same_key_there_but_for_the_agent(session: str, there: str) -> None:
    assert key_there(session, "ops") == there


def test_a_turn_becomes_params_of_agent() -> None:
    group = Chat("#room", kind="group")
    turn = asked(
        "hello",
        run="r7",
        session="agent:main:irc:libera:channel:#room",
        chat=group,
        sender=Sender("ann", name="Ann"),
        attachments=[Attachment(url="media:1", name="plan.pdf")],
        instructions="Answer in verse.",
        thinking="low",
        deadline=61_500,
    )
    assert agent_params(CONFIG, turn, [{"type": "image"}], turn.attachments, 1.0) == {
        "message": "Ann: hello\n[file: plan.pdf]",
        "sessionKey": "agent:ops:irc:libera:channel:#room",
        "agentId": "ops",
        "deliver": False,
        "timeout": 60,
        "idempotencyKey": "r7",
        "extraSystemPrompt": "Be brief.\n\nAnswer in verse.",
        "thinking": "low",
        "attachments": [{"type": "image"}],
    }
    assert agent_params(CONFIG, asked("", deadline=0), [], [], 9.0)["message"] == NO_WORDS
    assert agent_params(CONFIG, asked("", deadline=0), [], [], 9.0)["timeout"] == 1


def test_the_first_turn_of_a_conversation_begins_another_one_there() -> None:
    said = [HistoryItem("user", "before", 1)]
    assert begins_anew(CONFIG, asked())
    assert not begins_anew(CONFIG, asked(history=said))
    assert not begins_anew(CONFIG, asked(heartbeat=True))
    assert not begins_anew(msgspec.structs.replace(CONFIG, follow_resets=False), asked())
