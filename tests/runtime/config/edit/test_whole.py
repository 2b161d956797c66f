"""A configuration shown to, and written by, a remote editor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from runtime.config.edit.whole import Guard, patch_text, set_text, snapshot
from runtime.config.errors import ConfigError
from runtime.config.files import MAX_BYTES
from runtime.config.load import revision_of
from runtime.config.redact import REDACTED
from tests.runtime.config.example import known

TEXT = """{
  // the gateway; its token was hunter2-hunter2 once
  gateway: { port: 18789, auth: { token: "hunter2-hunter2" } },
  channels: {
    talk: {
      server: 'https://me:swordfish@host/x', // where
      accounts: {
        a: { password: "secret-of-a", },
        b: { password: { source: "env", id: "B" } },
      },
    },
  },
}
"""


def write(directory: Path, text: str = TEXT, name: str = "trunkline.json5") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def anybody(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Permit every change."""


ANY = Guard(lambda revision: None, anybody)


def at(text: str) -> Guard:
    def check(revision: str) -> None:
        assert revision == revision_of(text)

    return Guard(check, anybody)


def test_what_is_shown_is_the_file_as_written_without_its_secrets(tmp_path: Path) -> None:
    shown = snapshot(write(tmp_path), known())
    assert shown.raw is not None
    for secret in ("hunter2", "secret-of-a", "swordfish"):
        assert secret not in shown.raw
        assert secret not in str(shown.values)
    assert f"  // {REDACTED}:1\n  gateway: {{ port: 18789," in shown.raw
    assert pyjson5.decode(shown.raw) == shown.values
    assert shown.values["channels"]["talk"]["accounts"]["b"]["password"]["id"] == "B"
    assert shown.problems == ()


def test_what_is_shown_can_be_written_back_unchanged(tmp_path: Path) -> None:
    path = write(tmp_path)
    raw = snapshot(path, known()).raw
    assert raw is not None
    set_text(path, raw, at(TEXT), known())
    assert path.read_text() == TEXT


def test_a_patch_leaves_what_looks_like_a_mark_in_a_comment_alone(tmp_path: Path) -> None:
    text = f"// {REDACTED}:2 {REDACTED}\n{{gateway: {{ port: 1 }}}} // two"
    path = write(tmp_path, text)
    patch_text(path, {"gateway": {"port": 2}}, at(text), known())
    assert path.read_text() == text.replace("port: 1", "port: 2")


def test_a_broken_file_has_no_comments_to_bring_back(tmp_path: Path) -> None:
    path = write(tmp_path, "// secret-of-a\n{ broken")
    with pytest.raises(ConfigError, match="stands for no // comment"):
        set_text(path, f"// {REDACTED}:1\n{{}}", ANY, known())


def test_a_changed_text_keeps_its_comments_and_the_secrets_behind_marks(tmp_path: Path) -> None:
    path = write(tmp_path)
    raw = snapshot(path, known()).raw
    assert raw is not None
    set_text(path, raw.replace("18789", "18790 /* moved */"), at(TEXT), known())
    after = path.read_text()
    assert "// the gateway; its token was hunter2-hunter2 once" in after
    assert "18790 /* moved */" in after
    assert '"secret-of-a"' in after
    assert "https://me:swordfish@host/x" in after


def test_a_mark_where_no_secret_was_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    raw = TEXT.replace('{ source: "env", id: "B" }', f'"{REDACTED}"')
    with pytest.raises(ConfigError, match=r"in key channels\.talk\.accounts\.b\.password is not"):
        set_text(path, raw, at(TEXT), known())
    assert path.read_text() == TEXT


def test_a_mark_at_a_misspelt_name_is_refused_as_that_name(tmp_path: Path) -> None:
    path = write(tmp_path)
    raw = snapshot(path, known()).raw
    assert raw is not None
    misspelt = r"accounts\.a\.pasword: unknown field \(did you mean password\?\)"
    with pytest.raises(ConfigError, match=misspelt):
        set_text(path, raw.replace("password:", "pasword:", 1), at(TEXT), known())
    change = {"channels": {"talk": {"accounts": {"a": {"pasword": REDACTED}}}}}
    with pytest.raises(ConfigError, match=misspelt):
        patch_text(path, change, at(TEXT), known())
    assert path.read_text() == TEXT


def test_an_invalid_text_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(ConfigError, match="port: is"):
        set_text(path, TEXT.replace("18789", '"many"'), at(TEXT), known())
    assert path.read_text() == TEXT


def test_the_check_sees_the_revision_and_may_refuse(tmp_path: Path) -> None:
    path = write(tmp_path)

    def refuse(revision: str) -> None:
        raise KeyError(revision)

    with pytest.raises(KeyError, match=revision_of(TEXT)):
        set_text(path, "{}", Guard(refuse, anybody), known())
    assert path.read_text() == TEXT


def test_a_patch_changes_adds_and_removes_and_leaves_the_rest_as_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    patch = {
        "gateway": {"port": 1, "auth": {"token": REDACTED}},
        "channels": {"talk": {"server": "host", "accounts": {"b": None, "c": {"password": "x"}}}},
    }
    loaded = patch_text(path, patch, at(TEXT), known())
    after = path.read_text()
    assert 'gateway: { port: 1, auth: { token: "hunter2-hunter2" } },' in after
    assert 'server: "host", // where' in after
    assert "// the gateway" in after
    assert list(loaded.accounts) == ["talk:a", "talk:c"]


def test_a_broken_file_is_shown_without_text_and_cannot_be_patched_but_replaced(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "{ gateway: { token: 'secret-of-a' ")
    shown = snapshot(path, known())
    assert shown.raw is None
    assert shown.problems
    with pytest.raises(ConfigError, match="invalid config; fix before patching"):
        patch_text(path, {"gateway": {"port": 1}}, ANY, known())
    set_text(path, TEXT, ANY, known())
    assert path.read_text() == TEXT


def test_toml_is_shown_patched_and_restored_too(tmp_path: Path) -> None:
    text = '# mine\n[gateway]\nport = 1\n[gateway.auth]\ntoken = "hunter2-hunter2"\n'
    path = write(tmp_path, text, "trunkline.toml")
    shown = snapshot(path, known())
    assert shown.raw == text.replace("hunter2-hunter2", REDACTED).replace("mine", f"{REDACTED}:1")
    set_text(path, shown.raw.replace("port = 1", "port = 2"), at(text), known())
    assert path.read_text() == text.replace("port = 1", "port = 2")
    patch_text(path, {"gateway": {"port": 3}}, ANY, known())
    assert path.read_text() == text.replace("port = 1", "port = 3")


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert not snapshot(tmp_path / "no.json5", known()).exists


def test_what_is_too_large_to_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(ConfigError, match="is larger than"):
        set_text(path, f"// {'x' * MAX_BYTES}\n{{}}", at(TEXT), known())
    assert path.read_text() == TEXT
