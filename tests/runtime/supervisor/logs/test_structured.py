"""Our own records are stored without secrets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import structlog

from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.logs.structured import configure, redact
from tests.support.printing import on_disk


@pytest.mark.parametrize("name", ["token", "gateway_token", "Password", "client_secret"])
def test_values_named_like_secrets_are_hidden(name: str) -> None:
    event = {"event": "connected", name: "hunter2"}
    assert redact(None, "info", event) == {"event": "connected", name: "***"}


def test_our_own_records_are_kept_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LogStore(tmp_path, LoggingConfig())
    try:
        configure(store.add, level="info", to_stderr=False)
        log = structlog.get_logger("test")
        log.info("spawned", account="irc:a", token="hunter2")
        log.debug("not so important")
        (line,) = on_disk(store, "supervisor")
        assert (line["event"], line["token"], line["level"]) == ("spawned", "***", "info")
        assert "hunter2" not in capsys.readouterr().err
        store.reconfigure(LoggingConfig(level="debug"))
        log.debug("important now")
        assert on_disk(store, "supervisor")[-1]["event"] == "important now"
        configure(store.add, level="info", to_stderr=True)
        structlog.get_logger("test").warning("careful", password="hunter2")
        printed = capsys.readouterr().err
        assert "careful" in printed
        assert "hunter2" not in printed
    finally:
        structlog.reset_defaults()
        store.close()


class _Gone:
    """A terminal that has gone away."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


class _Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("a bad __repr__")


@pytest.mark.parametrize(
    "error",
    [OSError(5, "Input/output error"), BrokenPipeError(32, "Broken pipe"), ValueError("closed")],
)
def test_a_log_that_cannot_be_written_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    kept: list[str] = []

    def add(name: str, line: dict[str, object]) -> None:
        kept.append(str(line["event"]))
        if line["event"] == "unkept":
            raise error

    monkeypatch.setattr(sys, "stderr", _Gone(error))
    try:
        configure(add, level="info", to_stderr=True)
        log = structlog.get_logger("test")
        log.info("first")
        log.info("unkept")
        log.info("odd", what=_Unshowable())
        try:
            raise KeyError("x")
        except KeyError:
            log.exception("last")
    finally:
        structlog.reset_defaults()
    assert kept == ["first", "unkept", "last"]  # what has no text at all is lost
