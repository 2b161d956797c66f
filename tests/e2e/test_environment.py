"""What an account has by the daemon's environment: its own secret, and none of another section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_isolation import probe
from tests.support import faulty
from tests.support.daemon import TOKEN, Daemon

pytestmark = pytest.mark.e2e

# Which secrets are in both forms of the environment; the second as the kernel keeps it in memory,
# for an ordinary user's processes hide that file from themselves, too.
LOOK = """
import ctypes, json, os
fields = open("/proc/self/stat", "rb").read().rpartition(b")")[2].split()
start, end = int(fields[47]), int(fields[48])
shown = ctypes.string_at(start, end - start).decode()
try:
    shown += open("/proc/self/environ").read()
except PermissionError:
    pass
both = {"environ": json.dumps(dict(os.environ)), "kernel": shown}
both["token"] = ctx.config.token
# As numbers, since what a worker reports is without its secrets.
found = {
    where: [number for number, each in enumerate(SECRETS) if each in text]
    for where, text in both.items()
}
result = json.dumps({**found, "read": "PATH=" in shown})
"""


def config(*accounts: str) -> dict[str, Any]:
    named = {
        name: {
            "launcher": "zygote" if name == "forked" else "exec",
            "token": {"source": "env", "id": f"SECRET_OF_{name.upper()}"},
        }
        for name in accounts
    }
    reference = {"source": "env", "id": "SECRET_OF_GATEWAY"}
    gateway = {"auth": {"token": TOKEN, "password": reference}}
    return {"channels": {"faulty": {"accounts": named}}, "gateway": gateway}


async def look(daemon: Daemon, *accounts: str) -> None:
    """Check that each account has its own secret, and no other in its environment."""
    secrets = [*(f"value-of-{name}" for name in accounts), "value-of-gateway", TOKEN]
    for own, name in enumerate(accounts):
        seen = json.loads(await probe(daemon, f"faulty:{name}", LOOK, SECRETS=secrets))
        assert (seen["read"], seen["token"], seen["environ"]) == (True, [own], [own]), name
        assert seen["kernel"] == ([] if name == "forked" else [own]), name


async def test_an_account_has_its_own_secret_and_no_other(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    names = ("own", "other", "forked", "later", "gateway")
    given = {f"SECRET_OF_{name.upper()}": f"value-of-{name}" for name in names}
    given |= {"TRUNKLINE_GATEWAY_TOKEN": TOKEN, "OPENCLAW_GATEWAY_PASSWORD": "value-of-gateway"}
    first = ("own", "other", "forked")
    daemon = Daemon(tmp_path, config(*first), PYTHONPATH=str(faulty.install(site)), **given)
    async with daemon:
        await daemon.wait(lambda s: all(row["readyAt"] for row in s["accounts"].values()))
        await look(daemon, *first)
        assert (await daemon.call("secrets.reload"))["restarted"] == []
        await look(daemon, *first)
        daemon.write(config(*first, "later"))
        await daemon.call("config.reload")
        keys = [f"faulty:{name}" for name in first]
        rows = (await daemon.status())["accounts"]
        before = {key: rows[key]["pid"] for key in keys}  # the fourth may have started already
        await daemon.call("channels.restart", {"accounts": keys})
        await daemon.wait(lambda s: is_renewed(s["accounts"], before))
        await look(daemon, *first, "later")


def is_renewed(rows: dict[str, Any], before: dict[str, int]) -> bool:
    """Return whether all run, the fourth account too, and each in another process than before."""
    return len(rows) == 4 and all(
        row["readyAt"] and row["pid"] not in (None, before.get(key)) for key, row in rows.items()
    )
