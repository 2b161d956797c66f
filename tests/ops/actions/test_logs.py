"""Log lines, the last ones and those that come, of the supervisor and of a gateway elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from ops.exits import ExitCode
from tests.support.commandline import interrupted, line, started, trunkline
from tests.support.fakeserver import (
    fake_gateway,
    fake_supervisor,
)

LINES = [json.dumps({"ts": "2026-01-01T00:00:00.000Z", "account": "irc:a", "text": "one"})]


async def test_the_log_of_a_gateway_elsewhere(state: Path) -> None:
    answer = {"file": "f", "cursor": 7, "size": 7, "lines": [*LINES, "no json"]}
    async with fake_gateway(logs__tail=answer) as gate:
        args = ("logs", "--url", gate.url, "--token", "secret")
        people = await trunkline(state, *args)
        chosen = await trunkline(state, *args, "irc", "--json")
    assert "one" in people.out
    assert "no json" in people.out
    assert [json.loads(each)["text"] for each in chosen.out.splitlines()] == ["one"]


async def test_following_goes_on_from_the_cursor(state: Path) -> None:
    answers = iter([{"cursor": 7, "lines": []}, {"cursor": 9, "lines": LINES}])

    def tail(params: Any) -> Any:
        return next(answers, {"cursor": 9, "lines": []})

    async with fake_gateway(logs__tail=tail) as gate:
        args = ("logs", "-f", "--url", gate.url, "--token", "secret")
        async with started(state, *args) as process:
            assert "one" in await line(process)
    assert ("logs.tail", {"cursor": 7}) in gate.asked


async def test_following_goes_on_over_a_restart(state: Path) -> None:
    async with fake_gateway(logs__tail={"cursor": 7, "lines": []}) as gate:
        args = ("logs", "-f", "--url", gate.url, "--token", "secret")
        async with started(state, *args) as process:
            await gate.asked_for("logs.tail", 2)
            port = gate.port
            await gate.close()
            gate.methods["logs.tail"] = {"cursor": 9, "lines": LINES}
            await gate.on_tcp(port)
            assert "one" in await line(process)


def log(text: str, second: int = 0) -> dict[str, Any]:
    ts = f"2026-11-21T02:38:{second:02}.000Z"
    return {
        "ts": ts,
        "account": "local:demo",
        "incarnation": 3,
        "stream": "stdout",
        "text": text,
    }


async def test_logs_prints_the_last_lines_of_what_is_named(state: Path) -> None:
    async with fake_supervisor(state, channels__logs={"lines": [log("one"), log("two")]}) as fake:
        result = await trunkline(state, "logs", "local", "gateway", "-n", "2")
    assert [shown.rpartition("  ")[2] for shown in result.out.splitlines()] == ["one", "two"]
    assert ("channels.logs", {"accounts": ["local", "gateway"], "lines": 2}) in fake.asked


async def test_following_shows_each_line_once_and_goes_on(state: Path) -> None:
    async def tail(params: Any) -> dict[str, Any]:
        await fake.tell("log", log("two", 1))  # is in the answer too
        return {"lines": [log("one"), log("two", 1)]}

    methods = {"channels__logs": tail, "logs__follow": {"following": "*"}}
    async with (
        fake_supervisor(state, **methods) as fake,
        started(state, "logs", "-f", "--json") as process,
    ):
        await fake.asked_for("channels.logs")
        await fake.tell("log", log("three", 2))
        shown = [msgspec.json.decode(await line(process))["text"] for _ in range(3)]
        assert shown == ["one", "two", "three"]
        assert [method for method, _ in fake.asked][1:] == ["logs.follow", "channels.logs"]
        assert (await interrupted(process)).code == ExitCode.OK


async def test_what_is_chosen_may_stand_among_many_other_lines(state: Path) -> None:
    lines = [log("other", 1), log("wanted", 2), log("other", 3), log("wanted too", 4)]
    async with fake_supervisor(state, channels__logs={"lines": lines}) as fake:
        chosen = await trunkline(state, "logs", "-n", "1", "--grep", "wanted")
        old = await trunkline(state, "logs", "--since", "1h")
    assert "wanted too" in chosen.out
    assert len(chosen.out.splitlines()) == 1
    assert old.out == ""
    assert ("channels.logs", {"accounts": [], "lines": 5000}) in fake.asked
