"""How ``trunkline up`` words a refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.supervisor.options import describe_error, refuse


def test_a_refusal_is_one_sentence_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert refuse("the port is taken", 1) == 1
    assert capsys.readouterr() == ("", "trunkline: the port is taken\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (OSError("odd"), "odd"),
    ],
)
def test_an_error_of_the_system_names_its_file_where_there_is_one(
    error: OSError, said: str
) -> None:
    assert describe_error(error) == said


def test_a_file_of_another_user_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = PermissionError(13, "Permission denied", str(tmp_path))
    assert describe_error(refused) == f"{tmp_path}: Permission denied"
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert describe_error(refused) == (
        f"{tmp_path}: Permission denied (it belongs to user {mine}: `trunkline doctor` finds such"
        " files, and their cure)"
    )
    assert describe_error(OSError(28, "No space left on device", str(tmp_path))).endswith("device")
