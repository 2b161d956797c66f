"""The commands ``trunkline import …``."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine

TOKEN = "1234:hush-hush"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "openclaw.json"
    path.write_text(f'{{channels: {{telegram: {{botToken: "{TOKEN}"}}, signal: {{}}}}}}')
    return path


def test_an_import_without_write_only_prints(cli: CommandLine, state: Path, theirs: Path) -> None:
    result = cli(f"import openclaw {theirs}")
    assert result.code == ExitCode.OK
    for part in ("Taken", "Changed", "Left", "channels.signal", "session.dmScope", "queue.mode"):
        assert part in result.out
    assert TOKEN not in result.out
    assert not (state / "trunkline.json5").exists()


def test_what_it_writes_validates(cli: CommandLine, state: Path, theirs: Path) -> None:
    found = cli(f"import openclaw {theirs} --write --json").json
    assert found["written"] is True
    assert TOKEN not in str(found)
    assert TOKEN in (state / "trunkline.json5").read_text()
    assert cli("config validate").code == ExitCode.OK
    cli(f"import openclaw {theirs} --write").complains(ExitCode.USAGE, "--force")
    assert cli(f"import openclaw {theirs} --write --force").code == ExitCode.OK


def test_what_is_wrong_is_one_sentence(cli: CommandLine, state: Path, theirs: Path) -> None:
    cli("import openclaw /none.json").complains(ExitCode.CONFIGURATION, "/none.json", "No such")
    cli("import openclaw").complains(ExitCode.CONFIGURATION, "there is no", "openclaw PATH")
    cli(f"import openclaw {theirs} --force").complains(ExitCode.USAGE, "--write")
    (state / "loop.json").symlink_to("loop.json")
    cli(f"import openclaw {state}/loop.json").complains(ExitCode.CONFIGURATION, "symbolic links")
    (state / "openclaw.json").write_text('{$include: "openclaw.json"}')
    cli(f"import openclaw {state}/openclaw.json").complains(ExitCode.CONFIGURATION, "itself")
