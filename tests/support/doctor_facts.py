"""Facts of an installation without problems, which tests of the doctor change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from ops.doctor.facts import Facts, HostLimits
from runtime.config.load import Loaded, load
from runtime.config.places import Places
from tests.support.fakeserver import account, status

TOKEN = "a-token-that-is-long-enough-0123456789"
NOW = 1_790_000_000.0
GIB = 1 << 30
CONFIG = {
    "gateway": {"port": 1, "auth": {"token": TOKEN}},
    "channels": {"local": {"accounts": {"demo": {}}}},
}
FINE = account("local:demo", health="ok")


def places(directory: Path) -> Places:
    """Return the places of an installation below ``directory``, created as `up` creates them."""
    for name in ("state", "state/logs", "run"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    state = directory / "state"
    file = directory / "trunkline.json5"
    return Places(state, file, directory / "run", state / "logs", None)


def loaded(directory: Path, config: dict[str, Any] = CONFIG) -> Loaded:
    """Return a configuration, written to its file."""
    path = directory / "trunkline.json5"
    path.write_bytes(msgspec.json.encode(config))
    path.chmod(0o600)
    return load(path)


def status_of(*rows: Any, supervisor: dict[str, Any] | None = None, **gateway: Any) -> Any:
    """Return a supervisor's status as the wire has it."""
    found = msgspec.to_builtins(status(*(rows or (FINE,)), **gateway))
    found["supervisor"] |= supervisor or {}
    return found


def healthy(directory: Path, config: dict[str, Any] = CONFIG, **changes: Any) -> Facts:
    """Return the facts of an installation without problems, with ``changes``."""
    status = status_of()
    unit = {"unit": "/u", "doubts": [], "active": "active", "enabled": True, "lingers": True}
    unit |= {"scope": "user", "variables": []}
    facts = Facts(
        places=places(directory),
        environ={"HOME": "/"},
        version=status["supervisor"]["version"],
        now=NOW,
        limits=HostLimits(1 << 20, 1 << 16, 8 * GIB, 100 * GIB, 200 * GIB),
        loaded=loaded(directory, config),
        status=status,
        services=[unit | {"user": "ada", "result": "success"}],
        units={"/u": 'Environment="TRUNKLINE_SERVICE_MARKER=trunkline"'},
    )
    return replace(facts, **changes)
