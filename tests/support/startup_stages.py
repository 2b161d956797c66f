"""``trunkline up`` with its steps recorded instead of executed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from runtime.config.places import Flags
from runtime.supervisor import daemon, main, startup
from runtime.supervisor.main import up
from runtime.supervisor.options import Options
from runtime.supervisor.processes import leftovers


class Stages:
    """The recorded steps of ``up``, which starts nothing."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.moves: list[Path] = []
        self.serve: Callable[[], int] = lambda: 0

    def zygote(self, run_id: str, withheld: Collection[str]) -> Stages:
        assert "TRUNKLINE_GATEWAY_TOKEN" in withheld
        self.did.append("zygote")
        return self

    def launcher(self, *, run_id: str, zygote: Stages) -> Stages:
        assert zygote is self
        self.did.append("launcher")
        return self

    def withhold(self, names: Collection[str]) -> None:
        assert not self.did or self.did[-1] == "launcher", "before anything can be forked"

    def preload(self, modules: list[str]) -> None:
        self.did.append(modules)

    def close(self) -> None:
        self.did.append("close")

    def end(self) -> None:
        self.did.append("end")

    def served(self, options: Options, places: Any, loaded: Any, read: Any, **parts: Any) -> int:
        self.did.append("serve")
        assert read().revision == loaded.revision
        assert parts["instance"].boot > 0
        return self.serve()


def replace_stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Replace the functions that start processes and servers."""
    found = Stages()
    monkeypatch.setattr(main, "Zygote", found.zygote)
    monkeypatch.setattr(startup, "Launcher", found.launcher)
    monkeypatch.setattr(startup, "set_subreaper", lambda: found.did.append("subreaper"))
    monkeypatch.setattr(main, "set_up", lambda: None)
    monkeypatch.setattr(main, "absolute_places", lambda environ, names: None)
    for module in (main, startup):
        monkeypatch.setattr(module, "change_directory", found.moves.append)
    monkeypatch.setattr(leftovers, "sweep", lambda prefix, but: [])
    monkeypatch.setattr(daemon, "serve", found.served)
    return found


def run(state: Path, **options: Any) -> int:
    """Run ``trunkline up`` with recorded steps; return the exit code."""
    flags = Flags(state_dir=state, port=18999)
    return up(Options(flags, version=lambda: "1", **options), {})
