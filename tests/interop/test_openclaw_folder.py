"""The folder of OpenClaw's packages: what is missing in it is named before anything fails of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.interop.openclaw import PACKAGES, lacking

INSTALL = Path(__file__).parents[1] / "install-openclaw"


def test_packages_that_are_not_in_the_folder_are_named(tmp_path: Path) -> None:
    for name in PACKAGES[:2]:
        package = tmp_path / "node_modules" / name / "package.json"
        package.parent.mkdir(parents=True)
        package.write_text("{}")
    assert lacking(tmp_path) == ["@openclaw/gateway-client"]


def test_the_installer_fetches_every_package_that_the_tests_need() -> None:
    fetched = re.findall(r"(?<=\s)(@?[\w/-]+)@\d", INSTALL.read_text())
    assert set(PACKAGES) <= set(fetched)
