"""The manual page and the reference say what the commands are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.cli.manual import man_page, reference
from ops.cli.tree import commands
from ops.exits import ExitCode

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/trunkline.1"


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == man_page(), "python -m ops.cli.manual > docs/trunkline.1"


def test_the_reference_is_that_of_the_commands() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    assert text == reference(), "python -m ops.cli.manual --markdown > docs/cli.md"


def test_every_command_and_exit_code_is_in_both() -> None:
    page, text = man_page(), reference()
    for command in commands():
        if not command.children:
            path = " ".join(command.path)
            assert re.search(rf"^\.SS {re.escape(path.replace('-', chr(92) + '-'))}\b", page, re.M)
        assert f"# trunkline {' '.join(command.path)}\n" in text
    for code in ExitCode:
        assert f"\\fB{int(code)}\\fR\n" in page
        assert f"| {int(code)} |" in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_page_is_rendered_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, check=True
    )
    assert done.stderr == b""
    assert b"channels start" in re.sub(b"\x1b\\[[0-9;]*m|.\x08", b"", done.stdout)
