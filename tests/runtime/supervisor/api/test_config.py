"""The configuration as operators read, write and look it up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from runtime.config.errors import ConfigError, Problem
from runtime.supervisor.api.config import refusal
from tests.support.parts_rig import PartsRig

TEXT: dict[str, Any] = {
    "gateway": {"auth": {"token": "t0psecret"}},
    "channels": {"local": {"accounts": {}}},
}


class FileRig(PartsRig):
    """Parts whose configuration is a file. ``judged`` are the texts that were looked into."""

    def __init__(self, directory: Path) -> None:
        self.judged: list[str] = []
        super().__init__(directory)

    def read(self, text: str | None = None) -> Any:
        if text is not None:
            self.judged.append(text)
        path = self.directory / "trunkline.json5"
        return super().read(text or path.read_text())

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / "trunkline.json5"

    async def json(self, name: str, **params: Any) -> Any:
        """Return an answer as a client reads it."""
        return msgspec.json.decode(msgspec.json.encode(await self.ask(name, **params)))

    async def change(self, name: str, change: Any, *, remote: bool) -> Any:
        """Make a change of the present file."""
        base = (await self.json("config.get"))["hash"]
        self.judged.clear()
        raw = change if isinstance(change, str) else json.dumps(change)
        return await self.ask_as(name, {"raw": raw, "baseHash": base}, remote=remote)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[FileRig]:
    (tmp_path / "trunkline.json5").write_text(json.dumps(TEXT))
    made = FileRig(tmp_path)
    yield made
    made.close()


async def test_the_file_is_shown_without_secrets_and_with_its_hash(rig: FileRig) -> None:
    shown = await rig.json("config.get")
    assert (shown["exists"], shown["valid"], shown["issues"]) == (True, True, [])
    assert "t0psecret" not in str(shown)
    assert shown["hash"] == shown["appliedConfigHash"]
    assert shown["hash"].startswith("hmac-sha256:")


async def test_what_is_doubtful_in_force_is_shown_with_its_place(tmp_path: Path) -> None:
    text = TEXT | {"channels": {"telegram": {"accounts": {"a": {"botToken": "x"}}}}}
    (tmp_path / "trunkline.json5").write_text(json.dumps(text))
    rig = FileRig(tmp_path)
    found = (await rig.json("config.get"))["warnings"]
    assert "channels.telegram.accounts.a.botToken" in [each["path"] for each in found]
    rig.close()


async def test_a_patch_is_written_and_taken_over(rig: FileRig) -> None:
    base = (await rig.json("config.get"))["hash"]
    patch = {"supervisor": {"startConcurrency": 3}}
    answer = await rig.json("config.patch", raw=json.dumps(patch), baseHash=base)
    assert (answer["ok"], answer["restart"]) == (True, None)
    assert rig.configuration.config.supervisor.start_concurrency == 3
    assert "t0psecret" in (rig.directory / "trunkline.json5").read_text()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"raw": "{}"}, "config base hash required; re-run config.get and retry"),
        ({"raw": "{}", "baseHash": "old"}, "config changed since last load"),
        ({"raw": "{", "baseHash": "old"}, "config.patch raw is not JSON5: an object has no end"),
        ({"raw": "[]", "baseHash": "old"}, "config.patch raw must be an object"),
        ({"raw": f"{{a: 0x{'f' * 5000}}}", "baseHash": "old"}, "raw: a: is a very large number"),
    ],
)
async def test_a_patch_that_cannot_be_made_changes_nothing(
    rig: FileRig, params: dict[str, Any], said: str
) -> None:
    before = rig.configuration.revision
    with pytest.raises(RemoteError, match=said):
        await rig.ask("config.patch", **params)
    assert rig.configuration.revision == before


async def test_a_text_that_is_wrong_is_refused_with_its_problems(rig: FileRig) -> None:
    base = (await rig.json("config.get"))["hash"]
    with pytest.raises(RemoteError, match="invalid config: ") as caught:
        await rig.ask("config.set", raw="{ gateway: { prot: 1 } }", baseHash=base)
    assert caught.value.details is not None
    [issue] = caught.value.details["issues"]
    assert issue["path"].startswith("gateway")
    with pytest.raises(RemoteError) as unread:
        await rig.ask("config.set", raw="{\n  gateway: }", baseHash=base)
    message = "is not JSON5: expected a value, found '}'"
    issues = [{"path": "", "message": message, "line": 2}]
    assert unread.value.details == {"issues": issues}


COMMAND = {"gateway": {"command": ["id"]}}
WRITES: dict[str, dict[str, Any]] = {
    "config.patch": COMMAND,
    "config.set": {**TEXT, "gateway": {**TEXT["gateway"], **COMMAND["gateway"]}},
    "config.apply": {**TEXT, "gateway": {**TEXT["gateway"], **COMMAND["gateway"]}},
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_remote_change_of_a_local_field_is_refused_before_the_text_is_looked_into(
    rig: FileRig, name: str
) -> None:
    before = rig.path.read_text()
    with pytest.raises(RemoteError, match=r"gateway\.command: only changed on the") as caught:
        await rig.change(name, WRITES[name], remote=True)
    assert caught.value.code == "FORBIDDEN"
    assert caught.value.details["fields"] == ["gateway.command"]
    assert (rig.path.read_text(), rig.judged) == (before, [])


@pytest.mark.parametrize("name", WRITES)
async def test_the_same_change_from_here_is_made(rig: FileRig, name: str) -> None:
    await rig.change(name, WRITES[name], remote=False)
    assert rig.configuration.config.gateway.command == ["id"]
    assert len(rig.judged) == 1


async def test_with_remote_exec_it_is_made_from_elsewhere_too(rig: FileRig) -> None:
    with pytest.raises(RemoteError, match=r"gateway\.remoteExec: only changed"):
        await rig.change("config.patch", {"gateway": {"remoteExec": True}}, remote=True)
    await rig.change("config.patch", {"gateway": {"remoteExec": True}}, remote=False)
    await rig.change("config.patch", COMMAND, remote=True)
    assert rig.configuration.config.gateway.command == ["id"]
    await rig.change("config.patch", {"gateway": {"remoteExec": False}}, remote=True)
    with pytest.raises(RemoteError, match=r"gateway\.command: only changed"):
        await rig.change("config.patch", {"gateway": {"command": None}}, remote=True)


async def test_what_the_file_says_already_may_be_written_back(rig: FileRig) -> None:
    await rig.change("config.patch", {"gateway": {"nodes": {"denyCommands": ["a"]}}}, remote=False)
    shown = (await rig.json("config.get"))["raw"]
    await rig.change("config.set", shown, remote=True)
    await rig.change("config.patch", {"gateway": {"nodes": {"denyCommands": ["a"]}}}, remote=True)
    assert "t0psecret" in rig.path.read_text()


async def test_a_broken_file_is_mended_from_elsewhere_to_what_is_in_force_only(
    rig: FileRig,
) -> None:
    """What stands in a file that cannot be read is not known; what is in force is."""
    rig.path.write_text("{ gateway: { command: ['id']")
    with pytest.raises(RemoteError, match=r"gateway\.command: only changed"):
        await rig.change("config.set", WRITES["config.set"], remote=True)
    await rig.change("config.set", TEXT, remote=True)
    assert json.loads(rig.path.read_text()) == TEXT


async def test_two_writers_from_elsewhere_cannot_make_of_two_harmless_changes_a_local_one(
    rig: FileRig,
) -> None:
    """Each is judged against the file that it replaces, under the lock."""
    base = (await rig.json("config.get"))["hash"]
    first = {"raw": json.dumps({"agents": {"default": "none"}}), "baseHash": base}
    await rig.ask_as("config.patch", first, remote=True)
    with pytest.raises(RemoteError, match="config changed since last load"):
        await rig.ask_as("config.patch", first, remote=True)


def test_a_refusal_names_three_problems_and_counts_the_rest() -> None:
    problems = [Problem(f"a.{number}", "is wrong") for number in range(5)]
    error = refusal(ConfigError("c.json5", problems))
    assert error.message.endswith("(+2 more issues)")
    assert len(error.details["issues"]) == 5
    assert refusal(ConfigError("c.json5", [Problem("", "is no file")])).message == "is no file"


async def test_the_schema_can_be_looked_up_by_place(rig: FileRig) -> None:
    whole = await rig.json("config.schema")
    assert whole["version"] == "1.2"
    assert "gateway" in whole["schema"]["properties"]
    assert await rig.json("config.schema.lookup", path="gateway.port")
    with pytest.raises(RemoteError, match="config schema path not found"):
        await rig.ask("config.schema.lookup", path="gateway.nothing")


SHORT = {"channels": {"telegram": {"accounts": {"a": {"botToken": "1"}}}}}
DOUBTS = [
    {
        "path": "channels.telegram.accounts.a.botToken",
        "message": "is not a bot token: @BotFather gives one like 110201543:AAHd…",
    }
]
ACCOUNT: dict[str, Any] = {"channels": {"local": {"accounts": {"new": {}}}}}


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        ({"raw": json.dumps(TEXT)}, {"added": [], "gateway": "nothing"}),
        ({"raw": json.dumps(ACCOUNT), "patch": True}, {"added": ["local:new", "agent:echo"]}),
        ({"raw": '{"gateway": {"port": 1}}', "patch": True}, {"gateway": "move", "doubts": []}),
        ({"raw": json.dumps(SHORT), "patch": True}, {"gateway": "nothing", "doubts": DOUBTS}),
    ],
)
async def test_a_check_answers_with_what_a_write_would_change_and_writes_nothing(
    rig: FileRig, params: dict[str, Any], answer: dict[str, Any]
) -> None:
    before = rig.path.read_text()
    found = await rig.json("config.validate", **params)
    assert {name: found[name] for name in ("ok", *answer)} == {"ok": True, **answer}
    assert rig.path.read_text() == before
    assert rig.configuration.loaded.revision == rig.configuration.revision


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"raw": "{ gateway: { prot: 1 } }"}, "invalid config: "),
        ({"raw": "{", "patch": True}, "config.patch raw is not JSON5"),
        ({"raw": "{}", "baseHash": "old"}, "config changed since last load"),
    ],
)
async def test_a_check_refuses_what_a_write_refuses(
    rig: FileRig, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(RemoteError, match=said):
        await rig.ask("config.validate", **params)


async def test_a_check_from_elsewhere_looks_into_no_local_change(rig: FileRig) -> None:
    with pytest.raises(RemoteError, match=r"gateway\.command: only changed on the"):
        await rig.ask_as(
            "config.validate", {"raw": json.dumps(COMMAND), "patch": True}, remote=True
        )
    assert rig.judged == []
