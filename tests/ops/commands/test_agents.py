"""The verbs on agents: what is asked for, and what is said."""

from __future__ import annotations

from pathlib import Path

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine
from tests.support.commandline import trunkline
from tests.support.fakeserver import account, fake_supervisor, status

MAIN = account("agent:main")
FILE = """{
  agents: { default: "none" },
  channels: { local: { accounts: { demo: {} } } },
}"""


async def test_the_verbs_ask_for_the_keys_of_agents(state: Path) -> None:
    row = {"account": "agent:main", "ok": True, "outcome": "stopped", "persisted": True}
    found = status(account("local:demo")) | {"agents": [MAIN]}
    methods = {"supervisor__status": found, "channels__stop": {"results": [row]}}
    async with fake_supervisor(state, **methods) as fake:
        one = await trunkline(state, "agents", "stop", "main", "--reason", "night", "--json")
        every = await trunkline(state, "agents", "stop", "--all")
    assert one.json == {"results": [row]}
    assert every.out == "agent:main  stopped\n"
    asked = [params for method, params in fake.asked if method == "channels.stop"]
    assert asked == [{"accounts": ["agent:main"], "reason": "night"}, {"accounts": ["agent:main"]}]


async def test_a_start_is_waited_for(state: Path) -> None:
    row = {"account": "agent:main", "ok": True, "outcome": "handed-off"}
    found = status() | {"agents": [MAIN]}
    methods = {"supervisor__status": found, "channels__start": {"results": [row]}}
    async with fake_supervisor(state, **methods):
        result = await trunkline(state, "agents", "start", "main", "--wait")
        wrong = await trunkline(state, "agents", "start")
    assert result.out == "agent:main  running\n"
    wrong.complains(ExitCode.USAGE, "name agents (main), or say --all")


async def test_the_status_shows_agents_under_their_own_head(state: Path) -> None:
    found = status(account("local:demo")) | {"agents": [MAIN]}
    async with fake_supervisor(state, supervisor__status=found):
        whole = await trunkline(state, "status")
        one = await trunkline(state, "status", "local:demo")
        named = await trunkline(state, "channels", "status", "agent:main", "--json")
        unknown = await trunkline(state, "status", "agent:x")
    accounts, agents = whole.out.split("\nAGENT ")
    assert "local:demo" in accounts
    assert "agent:main" not in accounts
    assert "\nmain " in agents
    assert "AGENT" not in one.out
    assert [row["account"] for row in named.json["accounts"]] == ["agent:main"]
    unknown.complains(ExitCode.ERROR, "unknown agent 'agent:x'; known: agent:main")


def test_an_agent_is_added_listed_and_removed(cli: CommandLine, state: Path) -> None:
    file = state / "trunkline.json5"
    file.write_text(FILE)
    before = cli("agents list").out.splitlines()
    assert before[1].split()[:4] == ["echo", "echo", "no", "no"]
    added = cli("agents add main kind=echo name=Molly timeoutSeconds=30 --default")
    assert added.code == 0
    assert added.out.startswith("agent:main added in ")
    assert ", and answers by default; it counts from the next" in added.out
    listed = cli("agents list --json").json
    assert listed["default"] == "main"
    assert [(row["agent"], row["name"]) for row in listed["agents"]] == [
        ("echo", None),
        ("main", "Molly"),
    ]
    refused = cli("agents remove main")
    refused.complains(ExitCode.CONFIGURATION, "agents.default: is 'main': unknown agent")
    assert cli("agents remove agent:echo --json").json["agent"] == "agent:echo"
    assert "echo" not in file.read_text().replace('kind: "echo"', "")
