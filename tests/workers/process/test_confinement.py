"""The confinement itself, made for real in a process of its own."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import without_landlock
from tests.support.commandline import unmeasured
from workers.errors import Misconfigured
from workers.process.confinement import landlock_version

try:
    VERSION = landlock_version()
except Misconfigured:
    VERSION = 0
confining = pytest.mark.skipif(VERSION < 1, reason="this kernel has no Landlock")

CODE = """
import asyncio, json, os, sys, threading
from pathlib import Path
from ipc.frames.bootstrap import WorkerBoot
from workers.process import confinement
given = json.loads(sys.argv[1])
def confine(manifest="workers.channels.local:manifest", config={}, media=None):
    boot = WorkerBoot(key="local:one", incarnation=1, token="", control="", data="",
        manifest=manifest, config=config, storage=given["storage"], run_dir=given["run_dir"],
        confine=given["hidden"], media=media)
    return asyncio.run(confinement.confine(boot))
def errno_of(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
try:
    exec(given["code"])
except Exception as error:
    print(json.dumps([type(error).__name__, str(error), getattr(error, "final", None)]))
"""


def run(tmp_path: Path, code: str, *under: str, hidden: Path | None = None) -> Any:
    """Run code in a process with ``confine()``; return what it prints as JSON, or its error."""
    (tmp_path / "run").mkdir(exist_ok=True)
    given = {
        "storage": str(tmp_path / "state" / "accounts" / "local:one"),
        "run_dir": str(tmp_path / "run"),
        "hidden": [str(hidden or tmp_path / "state")],
        "code": code,
    }
    done = subprocess.run(
        [*under, sys.executable, "-c", CODE, json.dumps(given)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env=unmeasured(os.environ),  # the figures could not be written
    )
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


@confining
def test_the_storage_and_a_place_for_sockets_are_all_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("secret")
    code = f"""
outside = Path({str(tmp_path / "outside")!r})
boot, sealed = confine()
storage, run_dir = Path(boot.storage), Path(boot.run_dir)
found = [errno_of(act) for act in (
    lambda: (storage / "a").write_text("a"),
    lambda: (storage / "a").unlink(),
    lambda: (run_dir / "b").write_text("b"),
    lambda: (outside / "kept").read_text(),
    lambda: (outside / "new").write_text(""),
    lambda: (outside / "kept").unlink(),
    lambda: (run_dir.parent / "cli.sock").write_text(""),
    lambda: os.link(outside / "kept", storage / "linked"),
)]
print(json.dumps([*found, sealed, boot.run_dir != given["run_dir"]]))
"""
    *found, sealed, own = run(tmp_path, code)
    assert found[:3] == [0, 0, 0]
    assert set(found[3:-1]) <= {errno.EACCES, errno.EXDEV}
    assert found[-1] in (errno.EACCES, errno.EXDEV)
    assert (sealed, own) == (False, True)


@confining
def test_its_files_and_what_may_be_read_for_a_message_stay_in_reach(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("allowed")
    code = f"""
from ipc.frames.bootstrap import MediaBoot
from workers.media.store import MediaStore
place = Path({str(tmp_path)!r})
media = MediaBoot(str(place / "state/media/one"), allow=[str(place / "out"), "https://a.lan/"])
confine(media=media)
async def use():
    store = MediaStore(media)
    saved = await store.save(b"abc")
    found = []
    for url in (saved.url, f"file://{{place}}/out/a"):
        async with store.open(url) as file:
            with file.binary() as raw:
                found.append(raw.read().decode())
    return found
found = asyncio.run(use())
print(json.dumps([*found, errno_of(lambda: (place / "out/b").write_text(""))]))
"""
    assert run(tmp_path, code) == ["abc", "allowed", errno.EACCES]


@confining
def test_home_and_temporary_files_lead_into_the_storage(tmp_path: Path) -> None:
    code = """
import tempfile
os.environ["XDG_CACHE_HOME"] = "/elsewhere"
boot, _ = confine()
names = [os.path.expanduser("~"), tempfile.gettempdir()]
below = [os.path.relpath(each, boot.storage) for each in names]
print(json.dumps([*below, "XDG_CACHE_HOME" in os.environ]))
"""
    assert run(tmp_path, code) == [".", "tmp", False]


@confining
@pytest.mark.parametrize(("source", "sealed"), [("env", False), ("file", True), ("exec", True)])
def test_secrets_are_read_before_and_only_those_outside_seal(
    tmp_path: Path, source: str, sealed: bool
) -> None:
    (tmp_path / "secret").write_text("hush")
    place = {"env": "HUSH", "file": str(tmp_path / "secret"), "exec": f"cat {tmp_path}/secret"}
    code = f"""
import types
from workers.channels.local import LocalConfig
from workers.plugin import Manifest
module = sys.modules["made"] = types.ModuleType("made")
module.manifest = Manifest("local", "Local", LocalConfig, secrets=frozenset({{"token"}}),
    plugin="workers.channels.local.plugin:Local")
os.environ["HUSH"] = "hush"
token = {{"source": {source!r}, "id": {place[source]!r}}}
boot, sealed = confine("made:manifest", {{"token": token}})
print(json.dumps([boot.config["token"], sealed, len(os.listdir("/proc/self/task"))]))
"""
    assert run(tmp_path, code) == ["hush", sealed, 1]


@confining
def test_a_package_that_only_an_import_hook_finds_is_readable(tmp_path: Path) -> None:
    package = tmp_path / "elsewhere" / "hooked"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text("Plugin = 'imported'")
    code = f"""
import importlib.util, types
from workers.channels.local import LocalConfig
from workers.plugin import Manifest
class Hook:
    def find_spec(name, path=None, target=None):
        if name == "hooked":
            return importlib.util.spec_from_file_location(name, {str(package / "__init__.py")!r})
sys.meta_path.append(Hook)
module = sys.modules["made"] = types.ModuleType("made")
module.manifest = Manifest("local", "Local", LocalConfig, plugin="hooked.plugin:Plugin")
confine("made:manifest")
import hooked.plugin
print(json.dumps(hooked.plugin.Plugin))
"""
    assert run(tmp_path, code) == "imported"


@confining
def test_a_replaced_file_of_the_system_is_a_reason_to_begin_anew(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1")
    code = f"""
confine()
confinement.check_readable()
confinement.REPLACED = ("/nowhere/resolv.conf", {str(tmp_path / "resolv.conf")!r})
confinement.check_readable()
"""
    kind, text, _ = run(tmp_path, code)
    assert kind == "Transient"
    assert f"{tmp_path}/resolv.conf was replaced" in text


# Why an account is not confined and so must not run: the code, and words of the reason.
REFUSALS = {
    "a place of the interpreter holds what must stay out": (
        "sys.path.append(given['hidden'][0] + '/..'); confine()",
        ("Misconfigured", "lies in", True),
    ),
    "there is a second thread, which would stay free": (
        "wait = threading.Event(); threading.Thread(target=wait.wait, daemon=True).start();"
        " confine()",
        ("RuntimeError", "has threads", None),
    ),
}


@confining
@pytest.mark.parametrize(("code", "refusal"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_confined_says_why(
    tmp_path: Path, code: str, refusal: tuple[str, str, bool | None]
) -> None:
    kind, text, final = run(tmp_path, code)
    assert (kind, final) == (refusal[0], refusal[2])
    assert refusal[1] in text


def test_a_kernel_without_landlock_is_named(tmp_path: Path) -> None:
    wrapper = [sys.executable, str(without_landlock.__file__)]
    kind, text, final = run(tmp_path, "confine()", *wrapper)
    assert (kind, final) == ("Misconfigured", True)
    assert "this kernel has no Landlock (Function not implemented" in text
    assert "remove confine" in text
