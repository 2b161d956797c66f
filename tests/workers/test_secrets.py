"""Secrets come from where they lie, and errors never tell them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from workers import secrets
from workers.errors import Misconfigured
from workers.secrets import SecretRef, resolve, reveal, secret_part


def env(name: str) -> dict[str, str]:
    return {"source": "env", "id": name}


def file(path: Path | str) -> dict[str, str]:
    return {"source": "file", "id": str(path)}


def run(command: str) -> dict[str, str]:
    return {"source": "exec", "id": command}


def python(source: str) -> dict[str, str]:
    return run(f'{sys.executable} -c "{source}"')


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "from env")
    assert reveal(env("TEST_SECRET")) == "from env"


@pytest.mark.parametrize("written", ["from file\n", "from file\r\n", "from file"])
def test_a_secret_from_a_file_loses_one_line_end(tmp_path: Path, written: str) -> None:
    (tmp_path / "secret").write_bytes(written.encode())
    assert reveal(file(tmp_path / "secret")) == "from file"


def test_spaces_and_inner_lines_are_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" a\nb \n\n")
    assert reveal(file(tmp_path / "key")) == " a\nb \n"


def test_a_credential_is_a_file_of_the_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = {"source": "credential", "id": "telegram"}
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(Misconfigured, match="--credential telegram=FILE"):
        reveal(reference)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "telegram").write_text("handed over\n")
    assert reveal(reference) == "handed over"
    with pytest.raises(Misconfigured, match="without a slash"):
        reveal({"source": "credential", "id": "../telegram"})


def test_a_file_may_lie_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("at home")
    assert reveal(file("~/secret")) == "at home"


def test_a_secret_from_a_command_without_a_shell() -> None:
    assert reveal(run("printf '%s;' 'a b' $HOME")) == "a b;$HOME;"


def test_a_string_is_the_secret_itself() -> None:
    assert reveal("plain") == "plain"
    assert reveal(SecretRef("exec", "echo typed")) == "typed"


def test_only_the_named_fields_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "x")
    config = {
        "password": env("TEST_SECRET"),
        "login": {"user": "u", "password": env("TEST_SECRET")},
        "other": env("TEST_SECRET"),
        "plain": "y",
    }
    before = msgspec.json.encode(config)
    assert resolve(config, {"password", "login.password", "plain", "absent", "absent.too"}) == {
        "password": "x",
        "login": {"user": "u", "password": "x"},
        "other": env("TEST_SECRET"),
        "plain": "y",
    }
    assert msgspec.json.encode(config) == before


def test_every_reference_that_fails_is_named() -> None:
    config = {"a": env("TEST_NOT_SET"), "b": {"c": file("/does/not/exist")}}
    with pytest.raises(Misconfigured) as caught:
        resolve(config, {"a", "b.c"})
    assert str(caught.value) == (
        "a: the environment variable TEST_NOT_SET is not set; "
        "b.c: the secret file:/does/not/exist cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (env("TEST_EMPTY"), "the secret env:TEST_EMPTY is empty"),
        (env("A B"), "not a secret reference: id must be the name of an environment variable"),
        (file("relative"), "not a secret reference: id must be an absolute path"),
        (file("/"), "the secret file:/ is not a regular file"),
        (file("/dev/zero"), "the secret file:/dev/zero is not a regular file"),
        (file("/a\0b"), "not a secret reference: id must not contain a NUL character"),
        (run("'"), "not a secret reference: id must be a command line: No closing quotation"),
        (run(" "), "not a secret reference: id must be a command line: program and arguments"),
        (run("/does/not/exist"), "the secret exec:/does/not/exist cannot run: No such file"),
        (run("false"), "the secret exec:false failed with status 1"),
        (run("true"), "the secret exec:true is empty"),
        (run("printf '\\377'"), "is not UTF-8 text"),
        (run("sh -c 'kill -9 $$'"), "failed with status -9"),
        ({"source": "vault", "id": "x"}, "not a secret reference: Invalid enum value 'vault'"),
        ({"source": "env"}, "not a secret reference: Object missing required field `id`"),
    ],
)
def test_a_reference_that_cannot_be_resolved_is_an_error(
    monkeypatch: pytest.MonkeyPatch, reference: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("TEST_EMPTY", "")
    with pytest.raises(Misconfigured) as caught:
        reveal(reference)
    assert said in str(caught.value)


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Misconfigured, match="is not a regular file"):
        reveal(file(tmp_path / "pipe"))


@pytest.mark.parametrize("length", [secrets.MAX_BYTES + 1, 10 * secrets.MAX_BYTES])
def test_a_secret_that_is_too_long(tmp_path: Path, length: int) -> None:
    (tmp_path / "log").write_text("x" * length)
    for reference in (file(tmp_path / "log"), python(f"print('x' * {length})")):
        with pytest.raises(Misconfigured, match="is longer than 65536 bytes") as caught:
            reveal(reference)
        assert "xxx" not in str(caught.value)


def test_a_command_that_prints_forever_is_ended() -> None:
    with pytest.raises(Misconfigured, match="is longer than 65536 bytes"):
        reveal(run("yes"))


def test_a_command_that_hangs_is_ended_with_what_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secrets, "EXEC_TIMEOUT", 0.5)
    with pytest.raises(Misconfigured, match=r"did not come within 0\.5 s"):
        reveal(run("sh -c 'sleep 300 & sleep 300'"))
    assert not psutil.Process().children(recursive=True)


def test_a_command_that_closed_its_output_may_still_fail() -> None:
    with pytest.raises(Misconfigured, match="failed with status 3"):
        reveal(run("sh -c 'echo secret; exec >&-; sleep 0.1; exit 3'"))


def test_a_command_may_leave_something_running_that_holds_its_output(tmp_path: Path) -> None:
    """An agent that a password store starts must not make the account wait."""
    pid = tmp_path / "pid"
    try:
        assert reveal(run(f"sh -c 'sleep 300 & echo $! > {pid}; echo secret'")) == "secret"
    finally:
        os.kill(int(pid.read_text()), 9)


@pytest.mark.parametrize(
    ("found", "secret"), [(None, ""), ("", ""), ("key", "key"), ("not in it", "#a key")]
)
def test_a_part_of_a_text_is_secret(found: str | None, secret: str) -> None:
    assert secret_part(lambda text: found, "#a key") == secret


def test_when_the_part_cannot_be_found_all_is_secret() -> None:
    assert secret_part(lambda text: text.split()[5], "#a key") == "#a key"


def test_a_reference_is_shown_without_what_looks_like_a_secret_in_its_command() -> None:
    assert str(SecretRef("exec", "x --token=hunter2 y")) == "exec:x --token=… y"
    assert str(SecretRef("file", "/a --token=b")) == "file:/a --token=b"


def test_an_error_of_a_command_does_not_show_the_secret_in_it() -> None:
    with pytest.raises(Misconfigured) as caught:
        reveal(run("false --token=hunter2"))
    assert str(caught.value) == "the secret exec:false --token=… failed with status 1"
