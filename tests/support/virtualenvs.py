"""Makes virtualenvs as an operator would, which can import the packages of the tests."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_virtualenv(directory: Path, *, trunkline: bool = True) -> tuple[Path, Path]:
    """Make a virtualenv, with Trunkline of this checkout or without; return its Python and site.

    ``site`` is where its packages are installed.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    (site,) = directory.glob("lib/python*/site-packages")
    if trunkline:
        lent = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT))
        (site / "lent.pth").write_text("\n".join(dict.fromkeys(lent)))
    return directory / "bin" / "python", site


def fake_interpreter(path: Path, script: str) -> Path:
    """Make a shell script that stands in for an interpreter; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
