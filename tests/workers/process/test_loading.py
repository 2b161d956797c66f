"""From the boot object to a plugin; each fault ends the account with its own words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.bootstrap import WorkerBoot
from tests.support.controllable_channel import Config, ControllablePlugin, manifest
from tests.support.worker_rig import CONTROLLABLE, worker_rig
from workers.channels.irc import manifest as irc
from workers.errors import Misconfigured
from workers.media.abilities import METHODS, PARTS
from workers.plugin import Manifest
from workers.process.loading import (
    config_of,
    import_object,
    manifest_of,
    plugin_class,
    without_method,
)
from workers.process.logging import Redaction


def boot(config: dict[str, Any], manifest: str = CONTROLLABLE) -> WorkerBoot:
    return WorkerBoot("controllable:one", 1, "", "", "", manifest, config, "", "")


async def ended(run_dir: Path, manifest: str, **changes: Any) -> tuple[int, list[tuple[str, str]]]:
    """Run a worker to its own end; return its code and what it reported."""
    async with worker_rig(run_dir) as rig:
        rig.start(manifest, **changes)
        return await rig.code(), rig.said


def test_the_boot_object_leads_to_the_plugin() -> None:
    found = manifest_of(boot({}), Manifest)
    assert found is manifest
    assert plugin_class(found) is ControllablePlugin
    assert import_object("workers.errors:Misconfigured") is Misconfigured


async def test_the_configuration_is_the_struct_of_the_manifest() -> None:
    assert await config_of(boot({"number": 3}), manifest, Redaction()) == Config(number=3)


async def test_a_secret_is_hidden_even_in_the_error_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An unknown field is named as the secret is: the validation quotes it."""
    monkeypatch.setenv("THE_PASSWORD", "hunter22")
    config = {"password": {"source": "env", "id": "THE_PASSWORD"}, "hunter22": 1}
    redact = Redaction()
    with pytest.raises(Misconfigured) as caught:
        await config_of(boot(config), manifest, redact)
    assert "configuration of controllable:one" in str(caught.value)
    assert "hunter22" not in str(caught.value)
    assert redact("hunter22") == "***"


async def test_a_secret_part_of_a_text_is_hidden() -> None:
    config = {"server": "s", "nick": "n", "channels": ["#room sesame", "#open"]}
    redact = Redaction()
    await config_of(boot(config, "workers.channels.irc:manifest"), irc, redact)
    assert redact("JOIN #room sesame, #open") == "JOIN #room ***, #open"


async def test_an_sdk_that_is_not_installed_names_the_extra(run_dir: Path) -> None:
    code, said = await ended(run_dir, "tests.support.faulty:needy", key="faulty-extra:x")
    assert (code, said[0][0]) == (78, "misconfigured")
    assert "pip install sdk-that-nobody-has" in said[0][1]


# Prints what is said of a channel whose plugin finds a module of other people missing.
WITHOUT = """
import importlib.abc, sys
from workers.errors import Misconfigured
from workers.process.loading import plugin_class
from workers.registry import manifests
channel, blocked = sys.argv[1:]
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
try:
    plugin_class(manifests()[channel].manifest)
except Misconfigured as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("channel", "module"),
    [
        ("irc", "aiohappyeyeballs"),
        ("discord", "aiohttp"),
        ("slack", "aiohttp"),
        ("telegram", "aiohttp"),
        ("webhook", "aiohttp"),
    ],
)
def test_what_a_built_in_channel_lacks_is_one_sentence(channel: str, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, channel, module],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        f"channel {channel} needs trunkline (No module named '{module}');"
        f" install: {sys.executable} -m pip install --force-reinstall trunkline\n"
    )


async def test_a_plugin_without_the_method_that_its_manifest_promises_is_named(
    run_dir: Path,
) -> None:
    reference = CONTROLLABLE.replace(":manifest", ":promising")
    code, said = await ended(run_dir, reference)
    assert code == 78
    assert said[0][1] == (
        "tests.support.controllable_channel:ControllablePlugin has no method for members, pin:"
        " write it, or leave the word out of `can` in the manifest of controllable"
    )


async def test_a_plugin_that_cannot_be_imported_fails_with_its_error(run_dir: Path) -> None:
    ending = await ended(run_dir, "tests.support.faulty:unimportable", key="faulty-import:x")
    assert ending == (1, [("failed", "RuntimeError: this SDK is broken")])


@pytest.mark.parametrize(
    ("manifest", "code", "text"),
    [
        ("tests.workers.nowhere:manifest", 1, "ModuleNotFoundError"),
        ("tests.support.controllable_channel:nothing", 1, "AttributeError"),
        ("tests.support.controllable_channel:not_a_manifest", 78, "not Manifest"),
    ],
)
async def test_a_wrong_manifest_is_named(
    run_dir: Path, manifest: str, code: int, text: str
) -> None:
    found, said = await ended(run_dir, manifest)
    assert found == code
    assert text in said[0][1]


async def test_a_wrong_configuration_names_the_field(run_dir: Path) -> None:
    code, said = await ended(run_dir, CONTROLLABLE, config={"number": "seven"})
    assert (code, said[0][0]) == (78, "misconfigured")
    assert "$.number" in said[0][1]


async def test_a_missing_secret_is_misconfigured(run_dir: Path) -> None:
    config = {"password": {"source": "env", "id": "NOT_SET_ANYWHERE"}}
    code, said = await ended(run_dir, CONTROLLABLE, config=config)
    assert (code, said[0][0]) == (78, "misconfigured")
    assert "NOT_SET_ANYWHERE" in said[0][1]


async def test_storage_is_private(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        assert plugin.ctx.storage.stat().st_mode & 0o777 == 0o700


async def test_storage_that_cannot_be_made_is_transient(run_dir: Path) -> None:
    (run_dir / "file").write_text("in the way")
    code, said = await ended(
        run_dir,
        CONTROLLABLE,
        storage=str(run_dir / "file" / "one"),
    )
    assert (code, said[0][0]) == (75, "transient")
    assert str(run_dir / "file" / "one") in said[0][1]


class Own:
    async def edit(self, action: Any) -> None: ...
    async def history(self, action: Any) -> list[Any]:
        return []

    react = "no method"


class Acting(Own):
    async def act(self, action: Any) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "can", "missing"),
    [
        (Own, {"edit", "history", *PARTS}, []),
        (Own, {"edit", "typing", "delete"}, ["delete", "typing"]),
        (Own, {"react"}, ["react"]),
        (Own, {"pin"}, ["pin"]),
        (Acting, {"edit", "typing", "pin"}, []),
        (Acting, set(METHODS), []),
        (Acting, {"http", "pin"}, ["http"]),
    ],
)
def test_every_word_has_its_method(plugin: type, can: set[str], missing: list[str]) -> None:
    assert without_method(plugin, frozenset(can)) == missing
