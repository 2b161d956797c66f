"""Which messages agents answer, of which accounts, and what is known of an agent."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.frames.data import ADDRESSED, INBOUND, Answer
from ipc.frames.status import AccountStatus, Hold
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.journal.outgoing import OutgoingRow
from tests.support.admission import open_gate
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, payload, single
from tests.support.messages import KEY
from tests.support.rig_agent import delivered, echo_agent
from tests.support.until import PATIENCE, until

AGENT = "agent:main"


def agents(rows: Accounts | None = None, **config: Any) -> Agents:
    """Return the agents of this configuration."""
    return Agents(config, rows or Accounts([]), open_gate(KEY))


@pytest.mark.parametrize("journal", ["off", "on"])
async def test_an_agent_answers_what_is_meant_for_it(journal: str) -> None:
    async with gateway_rig(agents="echo") as rig:
        worker = await rig.worker(KEY, journal=journal)
        calls: asyncio.Queue[Any] = asyncio.Queue()

        def on_call(call: Any) -> Answer:
            calls.put_nowait(msgspec.json.decode(call.params)["message"])
            return delivered(call)

        worker.on_call = on_call
        await echo_agent(rig)
        worker.say(1)  # not addressed
        bot = {"id": "bot", "bot": True}
        worker.send(single(2, INBOUND_ADDRESSED, payload(KEY, 2, sender=bot)))
        last = payload(KEY, 3, text="hello", thread="t-1")
        worker.send(single(3, INBOUND_ADDRESSED, last))
        async with asyncio.timeout(PATIENCE):
            message = await calls.get()
        assert (message["to"], message["text"]) == ("person-1", "echo: hello")
        assert (message["thread"], message["key"]) == ("t-1", f"run:{KEY}/1:3")
        assert calls.empty()
        await until(lambda: rig.parts.agents.answered == 1)


@pytest.mark.parametrize(
    ("flags", "may"), [(INBOUND, False), (ADDRESSED, False), (0, False), (INBOUND_ADDRESSED, True)]
)
def test_only_what_people_address_to_an_account_is_answered(flags: int, may: bool) -> None:
    assert agents(default="echo").may_answer(KEY, flags) is may


def test_an_account_may_have_an_agent_of_its_own_or_none() -> None:
    some = agents(default="none", accounts={"irc:oftc": "echo"})
    assert (some.agent_of(KEY), some.agent_of("irc:oftc")) == (None, "echo")
    some.configure({"default": "echo", "accounts": {"irc:oftc": "none"}})
    assert (some.agent_of(KEY), some.agent_of("irc:oftc")) == ("echo", None)


def test_a_malformed_message_is_counted() -> None:
    some = agents(default="echo")
    assert some.read(KEY, b'{"cursor":1}') is None
    assert some.failed["malformed"] == 1


def test_answers_are_counted_by_what_became_of_them() -> None:
    some = agents()
    for state in ("sent", "failed", "unknown", "expired"):
        some.on_answer(KEY, OutgoingRow("k", "id", "ada", state=state))
    counted = {reason: count for reason, count in some.failed.items() if count}
    assert (some.answered, counted) == (1, {"send": 1, "unknown": 1, "expired": 1})


def test_what_is_known_of_an_agent_comes_from_its_entry() -> None:
    entry = {"kind": "openai", "repeat": "never", "timeoutSeconds": 1.5}
    some = agents(default="main", entries={"main": entry})
    assert (some.kind("main"), some.repeat("main"), some.timeout_ms("main")) == (
        "openai",
        "never",
        1500,
    )
    assert (some.kind("other"), some.repeat("other"), some.timeout_ms("other")) == (
        "",
        "unseen",
        600_000,
    )


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        ({"phase": "running", "wanted": True}, False),
        ({"phase": "backoff", "wanted": True}, False),
        ({"phase": "stopped", "wanted": True}, False),
        ({"phase": "stopped", "wanted": False}, True),
        ({"phase": "stopped", "wanted": True, "hold": Hold(1)}, True),
        ({"phase": "failed", "wanted": True}, True),
    ],
)
def test_an_agent_is_gone_that_does_not_come_by_itself(row: dict[str, Any], gone: bool) -> None:
    accounts = Accounts([])
    some = agents(accounts, default="main", entries={"main": {"kind": "echo"}})
    assert not some.is_gone("main")  # nothing is known of its process yet
    accounts.apply(AGENT, AccountStatus(AGENT, "agent", "main", incarnation=3, **row))
    assert some.is_gone("main") is gone
    assert some.is_gone("nobody")
    unasked = {"echo": {"kind": "echo", "process": False}}
    assert agents(Accounts([]), default="echo", entries=unasked).is_gone("echo")
    assert some.is_past("main", 2)
