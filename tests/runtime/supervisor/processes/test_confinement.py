"""What holds accounts to their limits: said where it is polling, written where it is the kernel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.config.model import AccountLimitsConfig
from runtime.supervisor.processes import confinement
from runtime.supervisor.processes.cgroups import Limits, Unusable
from tests.support.accounts import spec_of

SMALL = AccountLimitsConfig(
    memory_soft_bytes=32 << 20, memory_hard_bytes=64 << 20, niceness=3, processes=20
)


class PlayedGroups:
    """Stands for ``Groups``: remembers what is asked of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.limits: dict[str, Limits] = {}

    def limit(self, name: str, limits: Limits) -> None:
        self.limits[name] = limits


def launcher() -> Any:
    return SimpleNamespace(groups=None, limits_by="polling")


def accounts() -> Any:
    spec = spec_of("irc:libera", limits=SMALL)
    child = SimpleNamespace(state=SimpleNamespace(incarnation=7))
    return [SimpleNamespace(key=spec.key, spec=spec, child=child, bind=lambda: None)]


def test_without_groups_the_limits_are_polled_and_it_is_said_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def delegated() -> Path:
        raise Unusable("/x: not delegated to us")

    monkeypatch.setattr(confinement, "delegated", delegated)
    it = launcher()
    confinement.confine(it)
    assert (it.groups, it.limits_by) == (None, "polling (/x: not delegated to us)")
    confinement.changed(it, accounts())


def test_with_groups_the_launcher_has_them_and_changes_reach_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confinement, "delegated", lambda: Path("/x"))
    monkeypatch.setattr(confinement, "Groups", PlayedGroups)
    it = launcher()
    confinement.confine(it)
    assert it.limits_by == "control groups in /x"
    confinement.changed(it, accounts())
    assert it.groups.limits == {"irc:libera#7": Limits(32 << 20, 64 << 20, 20, 3)}
