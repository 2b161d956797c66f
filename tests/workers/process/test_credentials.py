from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workers.process.credentials import FILE, KeptCredentials


def of(directory: Path, secret: str = "one", learned: list[Any] | None = None) -> KeptCredentials:
    return KeptCredentials(
        directory, lambda: {"password": secret}, (learned if learned is not None else []).append
    )


def test_they_are_kept_over_restarts_in_a_file_of_the_owner(tmp_path: Path) -> None:
    assert of(tmp_path).value is None
    of(tmp_path).save({"session": "abc"})
    assert of(tmp_path).value == {"session": "abc"}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_was_saved_and_what_was_read_is_secret(tmp_path: Path) -> None:
    learned: list[Any] = []
    of(tmp_path, learned=learned).save({"session": "abc"})
    assert learned == [{"session": "abc"}]
    again: list[Any] = []
    assert of(tmp_path, learned=again).value == {"session": "abc"}
    assert again == learned


def test_they_are_not_fresh_once_the_secrets_of_the_configuration_are_others(
    tmp_path: Path,
) -> None:
    assert not of(tmp_path).fresh  # nothing is kept
    of(tmp_path).save("token")
    assert not of(tmp_path).fresh
    assert of(tmp_path, "two").fresh
    renewed = of(tmp_path, "two")
    renewed.save("token 2")
    assert not renewed.fresh
    assert "two" not in (tmp_path / FILE).read_text()


def test_saving_none_removes_the_credentials(tmp_path: Path) -> None:
    kept = of(tmp_path)
    kept.save("token")
    kept.save(None)
    kept.save(None)
    assert (kept.value, kept.fresh) == (None, False)
    assert not (tmp_path / FILE).exists()


def test_a_damaged_file_is_set_aside_and_a_large_one_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    assert of(tmp_path).value is None
    assert [each.name.startswith(f"{FILE}.damaged") for each in tmp_path.iterdir()] == [True]
    with pytest.raises(ValueError, match="1048576"):
        of(tmp_path).save("x" * 1024 * 1024)
    with pytest.raises(TypeError):
        of(tmp_path).save(object())
    assert json.dumps(of(tmp_path).value) == "null"
