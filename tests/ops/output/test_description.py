"""What ``channels describe`` prints of an account's limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from ops.output.description import show_description

MIB = 2**20


def printed(capsys: pytest.CaptureFixture[str], **told: Any) -> str:
    status = msgspec.to_builtins(AccountStatus("irc:libera", "irc", "libera"))
    show_description({"status": status, "label": "IRC", **told})
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("soft", "hard", "text"),
    [
        (192 * MIB, 256 * MIB, "192.0 MiB soft, 256.0 MiB hard; by polling (why)"),
        (None, 256 * MIB, "no soft, 256.0 MiB hard; by polling (why)"),
    ],
)
def test_what_holds_an_account_to_its_memory_is_said(
    capsys: pytest.CaptureFixture[str], soft: int | None, hard: int | None, text: str
) -> None:
    limits = {"memorySoftBytes": soft, "memoryHardBytes": hard}
    assert text in printed(capsys, limits=limits, limitsBy="polling (why)")


def test_an_account_without_limits_has_no_such_line(capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"memorySoftBytes": None, "memoryHardBytes": None}
    assert "memory limits" not in printed(capsys, limits=limits, limitsBy="polling")
    assert "memory limits" not in printed(capsys)  # an older supervisor
