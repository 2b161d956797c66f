"""The thread that keeps an exporter running: its start, its ends, and what it is told."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.config.gateway_model import TelemetryConfig
from runtime.gateway.telemetry import process
from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.process import ExporterProcess, environment
from tests.support.until import PATIENCE
from workers.secrets import SecretRef

TELLS = "import json, sys; order = json.loads(sys.stdin.readline()); "
SAYS = "print(json.dumps({'exported': 1, 'problem': order['settings']['headers']['a']}), flush=1)"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BEGIN_SECONDS", 0.0)
    monkeypatch.setattr(process, "FIRST_SECONDS", 0.01)


@contextmanager
def running(place: Path, config: TelemetryConfig) -> Iterator[queue.Queue[Counts]]:
    """Run a thread; yield what it reports."""
    reports: queue.Queue[Counts] = queue.Queue()
    thread = ExporterProcess(config, place, "1", reports.put)
    thread.start()
    try:
        yield reports
    finally:
        thread.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_exporter_that_ends_is_started_again_with_its_secrets_on_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CALL", TELLS + SAYS)
    monkeypatch.setenv("OF_TESTS", "secret-1")
    config = TelemetryConfig(headers={"a": SecretRef("env", "OF_TESTS")})
    with running(tmp_path, config) as reports:
        told = [reports.get(timeout=PATIENCE) for _ in range(3)]
    ended = Counts(problem="the exporter has ended with 0, and is started again")
    said = Counts(exported=1, problem="secret-1")
    assert told == [said, ended, said]


def test_one_that_says_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL", "import time; time.sleep(1000)")
    monkeypatch.setattr(process, "SILENT_SECONDS", 0.3)
    with running(tmp_path, TelemetryConfig()) as reports:
        for _ in range(2):
            assert "did not answer" in reports.get(timeout=PATIENCE).problem


def test_one_that_hangs_is_ended_with_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        process, "CALL", "print('nonsense', flush=1); print('{}', flush=1); input(); input()"
    )
    with running(tmp_path, TelemetryConfig()) as reports:
        assert reports.get(timeout=PATIENCE) == Counts()


def test_a_secret_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    config = TelemetryConfig(headers={"a": SecretRef("file", str(tmp_path / "none"))})
    with running(tmp_path, config) as reports:
        assert "none" in reports.get(timeout=PATIENCE).problem


@pytest.mark.parametrize("value", [" SECRET1", "SECRET1 ", "a\nSECRET1", "SECRET1é", "SECRET1\0"])
def test_a_value_that_no_header_can_have_is_refused_unseen(value: str, tmp_path: Path) -> None:
    with running(tmp_path, TelemetryConfig(headers={"X-Key": value})) as reports:
        problem = reports.get(timeout=PATIENCE).problem
    assert problem.startswith("headers.X-Key is no value of an HTTP header")
    assert "SECRET1" not in problem


def test_an_exporter_gets_what_is_for_it_of_the_environment() -> None:
    ours = {
        "OTEL_SERVICE_NAME": "x",
        "https_proxy": "http://p",
        "NO_PROXY": "a",
        "PATH": "/bin",
        "TRUNKLINE_GATEWAY_TOKEN": "secret",
        "IRC_PASSWORD": "secret",
    }
    given = environment(ours)
    assert given.keys() - {"PYTHONPATH"} == {"OTEL_SERVICE_NAME", "https_proxy", "NO_PROXY", "PATH"}
    assert "secret" not in json.dumps(given)
