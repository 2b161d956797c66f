"""The exit codes, as the guide explains them."""

from __future__ import annotations

import re

from ops.exits import ExitCode
from tests.support.commandline import ROOT


def test_the_operations_guide_explains_every_exit_code() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    section = guide.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    told = {int(code): name.replace(" ", "_").upper() for code, name, _, _ in rows}
    assert told == {code.value: code.name for code in ExitCode}
