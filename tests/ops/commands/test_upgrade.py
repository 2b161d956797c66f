"""The command ``trunkline upgrade``."""

from __future__ import annotations

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


def test_upgrade_without_check_is_refused(cli: CommandLine) -> None:
    cli("upgrade").complains(ExitCode.USAGE, "pip, uv, pipx", "--check")
    assert cli("upgrade --check").code == ExitCode.OK
