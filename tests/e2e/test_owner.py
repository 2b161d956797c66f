"""Root works in the state directory of another user: as that user, and with a whole daemon."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runtime.config.places import run_dir_name
from tests.support.daemon import CLI, TOKEN
from workers.testing.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]
SERVICE = 61234  # a user of the test
AS_SERVICE = ("setpriv", f"--reuid={SERVICE}", f"--regid={SERVICE}", "--clear-groups")


class Service:
    """The state directory of a user, and commands of root or of that user in it."""

    def __init__(self, place: Path) -> None:
        self.place, self.state = place, place / "state"
        name = run_dir_name(self.state).replace("trunkline-", f"trunkline-{SERVICE}-")
        self.sockets = Path("/tmp", name)  # beside those of tests that run at the same time
        self.state.mkdir(mode=0o700)
        self.config = self.state / "trunkline.json5"
        self.config.write_text(
            json.dumps(
                {
                    "gateway": {"port": free_port(), "auth": {"token": TOKEN}},
                    "channels": {"local": {"accounts": {"one": {}}}},
                }
            )
        )
        self.config.chmod(0o600)
        for path in (self.state, self.config):
            os.chown(path, SERVICE, SERVICE)

    def run(self, *args: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command there; as root without a prefix."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": "/",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [*prefix, *CLI, "--state-dir", str(self.state), *args]
        return subprocess.run(
            command, env=env, cwd="/", capture_output=True, text=True, timeout=120
        )

    async def command(self, *args: str, prefix: tuple[str, ...] = ()) -> str:
        """Run a command that succeeds; return what it prints."""
        done = await asyncio.to_thread(self.run, *args, prefix=prefix)
        assert done.returncode == 0, done
        return done.stdout

    def foreign(self) -> list[str]:
        """Return everything below the state and in the sockets' directory that is not the user's.

        The links are looked at themselves.
        """
        found = []
        for top in filter(Path.exists, (self.state, self.sockets)):
            found += [
                str(path) for path in (top, *top.rglob("*")) if path.lstat().st_uid != SERVICE
            ]
        return found


@pytest.fixture
def service(short_path: Path) -> Iterator[Service]:
    short_path.chmod(0o755)
    made = Service(short_path)
    if made.run("config", "path", prefix=AS_SERVICE).returncode:
        pytest.skip("another user cannot run this checkout")
    yield made
    made.run("down")
    shutil.rmtree(made.sockets, ignore_errors=True)


async def test_a_daemon_that_root_starts_runs_as_the_owner_of_the_state(service: Service) -> None:
    await service.command("up", "--detach")
    pid = json.loads(await service.command("status", "--json"))["supervisor"]["pid"]
    assert psutil.Process(pid).uids().real == SERVICE
    await service.command("channels", "add", "local:two")
    await service.command("channels", "stop", "local:two", "--wait", "--reason", "of root")
    assert service.foreign() == []
    await service.command("channels", "restart", "local:one", "--wait", prefix=AS_SERVICE)
    await service.command("down")
    assert service.foreign() == []
    await service.command("up", "--detach", prefix=AS_SERVICE)
    status = json.loads(await service.command("status", "--json"))
    phases = {row["account"]: row["phase"] for row in status["accounts"]}
    assert phases["local:two"] == "stopped", "the hold that root made is the user's"
    second = await asyncio.to_thread(service.run, "up")
    assert (second.returncode, second.stdout) == (1, "")
    assert "already runs" in second.stderr
    await service.command("down", prefix=AS_SERVICE)
    assert service.foreign() == []


@pytest.mark.parametrize("trap", ["logs", "accounts", "supervisor.lock", "boot", "history.jsonl"])
async def test_a_link_in_the_directory_leads_root_nowhere(service: Service, trap: str) -> None:
    """Root has become the user, who may not write where the link leads."""
    target = service.place / "of-root"
    target.mkdir(mode=0o755)
    (target / "file").write_text("as it was")
    leads = target if trap in ("logs", "accounts") else target / "file"
    (service.state / trap).symlink_to(leads)
    os.chown(service.state / trap, SERVICE, SERVICE, follow_symlinks=False)
    before = (target.stat(), (target / "file").stat())
    for args in (["up", "--detach"], ["channels", "stop", "local:one"], ["down"]):
        done = await asyncio.to_thread(service.run, *args)
        assert "Traceback" not in done.stderr, done
    after = (target.stat(), (target / "file").stat())
    for was, now in zip(before, after, strict=True):
        assert (was.st_uid, was.st_mode, was.st_mtime_ns) == (
            now.st_uid,
            now.st_mode,
            now.st_mtime_ns,
        )
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "as it was"
