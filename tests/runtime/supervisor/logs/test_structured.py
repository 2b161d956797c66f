"""Our own records are stored without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from runtime.config.model import LoggingConfig
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
