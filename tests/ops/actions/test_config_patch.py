"""A change of a configuration from afar: scenarios 57 and 58."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.actions.config_patch import HIDDEN, change_of, holds
from ops.exits import ExitCode, UsageFailure
from tests.ops.conftest import CommandLine
from tests.support.commandline import Result, trunkline
from tests.support.fakeserver import FakeServer, Refusal, fake_supervisor

CHANGED = "config changed since last load; re-run config.get and retry"
CHANGE = '{agents: {default: "none"}}'


class Owner:
    """The owner of a configuration, which others change ``before`` or ``after`` a write."""

    def __init__(self) -> None:
        self.server = FakeServer({"config.get": self._get, "config.patch": self._patch})
        self.values: dict[str, Any] = {"agents": {"default": "echo"}, "token": HIDDEN}
        self.writes = 0
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []

    @property
    def hash(self) -> str:
        return f"hash of {json.dumps(self.values)}"

    def _get(self, params: Any) -> dict[str, Any]:
        return {"config": self.values, "hash": self.hash, "valid": True}

    def _patch(self, params: Any) -> dict[str, Any]:
        for change in self.before[:1]:
            self.before.pop(0)
            change()
        if params["baseHash"] != self.hash:
            raise Refusal("INVALID_REQUEST", CHANGED)
        self.writes += 1
        self.values = self.values | json.loads(params["raw"])
        for change in self.after[:1]:
            self.after.pop(0)
            change()
        return {"ok": True, "hash": self.hash}

    def vanish(self) -> None:
        """End the session as a gateway that is killed does."""
        for person in list(self.server.people):
            person.transport.abort()

    def somebody_writes(self) -> None:
        self.values = self.values | {"theirs": self.values.get("theirs", 0) + 1}

    async def patched(self, state: Path, *args: str) -> Result:
        return await trunkline(state, "config", "patch", *args, "--url", self.server.url)


@asynccontextmanager
async def owner() -> AsyncIterator[Owner]:
    found = Owner()
    await found.server.on_tcp()
    try:
        yield found
    finally:
        await found.server.close()


async def test_a_change_names_the_revision_that_it_was_made_from(state: Path) -> None:
    async with owner() as at:
        result = await at.patched(state, CHANGE)
        assert (result.code, result.out, result.err) == (0, "changed\n", "")
        assert at.values["agents"] == {"default": "none"}


async def test_s057_a_write_whose_answer_is_lost_counts_when_it_is_in_the_configuration(
    state: Path,
) -> None:
    async with owner() as at:
        at.after = [at.vanish]
        result = await at.patched(state, CHANGE)
        assert (result.code, result.out, result.err) == (0, "changed; its answer was lost\n", "")
        assert at.writes == 1


async def test_s057_a_write_that_was_lost_itself_is_made_again_once(state: Path) -> None:
    async with owner() as at:

        def lose() -> None:
            at.vanish()
            raise Refusal("UNAVAILABLE", "said to nobody")

        at.before = [lose]
        result = await at.patched(state, CHANGE)
        assert (result.code, result.out) == (0, "changed\n"), result.err
        assert at.writes == 1
        at.before = [lose, lose]
        result = await at.patched(state, "{agents: null}")
        result.complains(ExitCode.ERROR, "lost twice", "unchanged")
        assert at.writes == 1


async def test_s057_a_lost_answer_and_another_revision_are_for_a_person_to_look_at(
    state: Path,
) -> None:
    async with owner() as at:

        def lose() -> None:
            at.somebody_writes()
            at.vanish()
            raise Refusal("UNAVAILABLE", "said to nobody")

        at.before = [lose]
        result = await at.patched(state, CHANGE)
        result.complains(ExitCode.ERROR, "somebody else changed")
        assert at.values["theirs"]
        assert at.writes == 0


async def test_s058_over_another_change_it_is_made_anew_once_and_never_overwrites(
    state: Path,
) -> None:
    async with owner() as at:
        at.before = [at.somebody_writes]
        result = await at.patched(state, CHANGE)
        assert (result.code, result.out) == (0, "changed\n"), result.err
        assert at.values["theirs"] == 1
        assert at.values["agents"] == {"default": "none"}
        at.before = [at.somebody_writes, at.somebody_writes]
        result = await at.patched(state, '{agents: {default: "echo"}}')
        result.complains(ExitCode.ERROR, CHANGED)
        assert at.values["agents"] == {"default": "none"}


async def test_without_a_url_it_is_the_supervisors(state: Path) -> None:
    methods = {"config__get": {"config": {}, "hash": "h"}, "config__patch": {"ok": True}}
    async with fake_supervisor(state, **methods) as fake:
        result = await trunkline(state, "config", "patch", CHANGE, "--json")
        assert result.json == {"ok": True}
        given = {"raw": '{"agents":{"default":"none"}}', "baseHash": "h"}
        assert ("config.patch", given) in fake.asked


async def test_a_change_that_would_be_wrong_is_an_error_of_configuration(state: Path) -> None:
    refusal = Refusal("INVALID_REQUEST", "invalid config: agents.default: is 5")
    methods = {"config__get": {"config": {}, "hash": "h"}, "config__patch": refusal}
    async with fake_supervisor(state, **methods):
        result = await trunkline(state, "config", "patch", "{agents: {default: 5}}")
    result.complains(ExitCode.CONFIGURATION, "agents.default: is 5")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "{a:}", "[" * 5000, "\u0000"])
def test_what_is_no_object_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageFailure, match=r"^the change .{1,280}"):
        change_of(text)


def test_it_is_said_before_anybody_is_asked(cli: CommandLine) -> None:
    cli("config patch [1]").complains(ExitCode.USAGE, "must be an object")


@pytest.mark.parametrize(
    ("values", "change", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        ({"a": 1}, {"a": {"b": 1}}, False),
        ({}, {"a": None}, True),
        ({"a": 1}, {"a": None}, False),
        ({}, {"a": {}}, False),
        ({"token": HIDDEN}, {"token": "secret"}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"rooms": [f"#a {HIDDEN}", "#b"]}, {"rooms": ["#a key", "#b"]}, True),
        ({"rooms": [f"#a {HIDDEN}", "#b"]}, {"rooms": ["#b key", "#b"]}, False),
        ({"rooms": [f"#a {HIDDEN}"]}, {"rooms": ["#a key", "#b"]}, False),
        ({"rooms": [{"n": 1, "token": HIDDEN}]}, {"rooms": [{"n": 1, "token": "x"}]}, True),
        ({"rooms": [{"n": 1, "token": HIDDEN}]}, {"rooms": [{"token": "x"}]}, False),
        ({"url": f"https://{HIDDEN}@host"}, {"url": "https://u:p@host"}, True),
        ({"url": f"https://{HIDDEN}@host"}, {"url": "https://u:p@other"}, False),
    ],
)
def test_whether_a_change_is_in_a_configuration(
    values: dict[str, Any], change: dict[str, Any], expected: bool
) -> None:
    assert holds(values, change) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "must be one object, { ... }, found 'o'"),
        ("@file", "must be one object, { ... }, found '@'"),
        ("{a: none}", "a text stands in quotes"),
        (f"{{a: {{b: 0x{'f' * 5000}}}}}", "a.b: is a very large number; allowed: a number of at"),
        ("", "the file is empty"),
        ("{a: 1} b", "unexpected text 'b' after the end"),
        ("[]", "must be an object"),
    ],
)
def test_what_is_no_change_says_why_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageFailure, match="the change ") as found:
        change_of(text)
    assert words in str(found.value)
