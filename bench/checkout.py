"""Describes a checkout of the project whose product can be started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.machine import ROOT
from tests.support.short_directory import ShortDirectory

PACKAGES = ("ipc", "workers", "runtime", "ops")


class NotBuilt(Exception):
    """The error of a checkout without a virtual environment."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout; ``command`` runs its ``trunkline`` in its virtual environment."""

    root: Path
    command: tuple[str, ...]

    @classmethod
    def this(cls) -> Checkout:
        """Return the checkout of this code, with the current interpreter."""
        program = Path(sys.executable).with_name("trunkline")
        if program.exists():
            return cls(ROOT, (str(program),))
        return cls(ROOT, (sys.executable, "-c", "from ops.cli.main import main; main()"))

    @classmethod
    def at(cls, root: Path) -> Checkout:
        """Return the checkout in a folder; raises ``NotBuilt`` if ``.venv`` is missing."""
        root = root.resolve()
        program = root / ".venv" / "bin" / "trunkline"
        if not program.exists():
            raise NotBuilt(
                f"{program} is missing; make it: "
                f"(cd {root} && bash -c '. ops/environment.sh; make_environment')"
            )
        return cls(root, (str(program),))

    @property
    def python(self) -> str:
        """The interpreter of its environment."""
        beside = Path(self.command[0]).with_name("python")
        return str(beside) if len(self.command) == 1 else self.command[0]

    @property
    def interpreter(self) -> str:
        """The version, build date and compiler that its interpreter reports."""
        asked = [self.python, "-VV"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    def environment(self, base: dict[str, str], *site: str) -> dict[str, str]:
        """Return ``base`` with a path to the product's own packages and those in ``site``."""
        return {**base, "PYTHONPATH": os.pathsep.join([*filter(None, site), str(self.root)])}

    def accepts(self, config: dict[str, Any]) -> bool:
        """Return whether its ``config validate`` accepts this configuration."""
        with ShortDirectory() as directory:
            path = directory / "trunkline.json5"
            path.write_text(json.dumps(config))
            path.chmod(0o600)
            places = {"TRUNKLINE_CONFIG_PATH": str(path), "TRUNKLINE_STATE_DIR": str(directory)}
            env = self.environment(dict(os.environ)) | places
            command = [*self.command, "config", "validate"]
            return subprocess.run(command, env=env, capture_output=True).returncode == 0


def has_journal(checkout: Checkout) -> bool:
    """Return whether its accounts have a journal that can be switched off (old versions: no)."""
    return _has_field(checkout, "journal", "off")


def has_access_policy(checkout: Checkout) -> bool:
    """Return whether its accounts have an access policy; old versions answer everybody."""
    return _has_field(checkout, "dmPolicy", "open")


@cache
def _has_field(checkout: Checkout, name: str, value: str) -> bool:
    """Return whether every account may have this field; this starts a process."""
    accounts = {"one": {name: value}}
    config = {"gateway": {"auth": {"mode": "none"}}, "channels": {"local": {"accounts": accounts}}}
    return checkout.accepts(config)


@cache
def compile_once(checkout: Checkout) -> None:
    """Compile its packages to byte code, as in an installation.

    Where PYTHONDONTWRITEBYTECODE is set, as in images of containers, every start would compile
    a hundred modules again (0.2 s), which is not what is measured.
    """
    folders = [str(checkout.root / package) for package in PACKAGES]
    subprocess.run([checkout.python, "-m", "compileall", "-q", *folders], check=True)
