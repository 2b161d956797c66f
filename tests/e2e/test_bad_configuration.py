"""``up`` with a wrong configuration: every mistake is reported, and nothing is started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import Result, trunkline

pytestmark = pytest.mark.e2e

GATEWAY = "gateway: {auth: {token: 'x'}}"
# A file, and words that the complaint must have: one of each family, the rest is in
# tests/runtime/config.
WRONG = {
    "{": ["trunkline.json5"],
    "{" + GATEWAY + ", gatewy: {}}": ["gatewy", "gateway"],
    "{gateway: {port: 'high', auth: {token: 'x'}}}": ["gateway.port", "65535"],
    "{channels: {local: {}}}": ["gateway.auth.token", "TRUNKLINE_GATEWAY_TOKEN"],
    "{" + GATEWAY + ", channels: {nowhere: {}}}": ["channels.nowhere", "irc", "local"],
    "{" + GATEWAY + ", channels: {local: {accounts: {'a b': {}}}}}": ["channels.local", "a b"],
    "{" + GATEWAY + ", channels: {local: {accounts: {a: {}, a: {}}}}}": ["a", "2 times"],
    "{" + GATEWAY + ", channels: {local: {accounts: {a: {rate: 'x'}}}}}": [
        "channels.local.accounts.a.rate"
    ],
    "{" + GATEWAY + ", supervisor: {beatSeconds: 99}}": ["supervisor", "beatSeconds"],
    "\udcff": ["UTF-8"],
    "{gateway: {auth: {token: {source: 'env', id: 'NO_SUCH_VARIABLE'}}}}": [
        "gateway.auth.token: cannot be resolved",
        "NO_SUCH_VARIABLE is not set",
    ],
}


def configured(home: Path, text: str) -> Path:
    home.mkdir()
    (home / "trunkline.json5").write_bytes(text.encode(errors="surrogateescape"))
    return home


async def up(home: Path, text: str, *args: str, **env: Any) -> Result:
    return await trunkline(configured(home, text), "up", *args, **env)


def nothing_was_started(home: Path) -> bool:
    return [path.name for path in home.iterdir()] == ["trunkline.json5"]


async def test_up_exits_with_78_for_every_kind_of_mistake(tmp_path: Path) -> None:
    places = asyncio.Semaphore(2)

    async def refused(number: int, text: str, words: list[str]) -> None:
        home = tmp_path / str(number)
        async with places:
            result = await up(home, text)
        assert (result.code, result.out) == (ExitCode.CONFIGURATION, ""), (text, result)
        for word in ["trunkline: ", str(home / "trunkline.json5"), *words]:
            assert word in result.err, (text, result.err)
        assert "Traceback" not in result.err
        assert nothing_was_started(home)

    await asyncio.gather(*(refused(n, *each) for n, each in enumerate(WRONG.items())))


async def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    text = "{gateway: {port: -1, bogus: 1}, channels: {nowhere: {}}, agents: {default: 'gpt'}}"
    result = await up(tmp_path / "home", text)
    assert result.code == ExitCode.CONFIGURATION
    for path in ("gateway.port", "gateway.bogus", "channels.nowhere", "agents.default"):
        assert path in result.err


@pytest.mark.parametrize(
    ("args", "env", "code", "words"),
    [
        (
            [],
            {"TRUNKLINE_GATEWAY_PORT": "high"},
            ExitCode.CONFIGURATION,
            "TRUNKLINE_GATEWAY_PORT",
        ),
        (["--port", "70000"], {}, ExitCode.USAGE, "--port"),
        (["--detach", "--port", "70000"], {}, ExitCode.USAGE, "--port"),
        ([], {"TRUNKLINE_PROFILE": "a/b"}, ExitCode.CONFIGURATION, "profile"),
    ],
)
async def test_options_and_variables_are_checked_too(
    tmp_path: Path, args: list[str], env: dict[str, str], code: ExitCode, words: str
) -> None:
    result = await up(tmp_path / "home", "{" + GATEWAY + "}", *args, **env)
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err
