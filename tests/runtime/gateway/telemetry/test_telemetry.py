"""What the gateway keeps of its traces, and when it has any exported."""

from __future__ import annotations

import threading
from pathlib import Path

from runtime.config.gateway_model import TelemetryConfig
from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.spans import trace_id
from runtime.gateway.telemetry.telemetry import OUTCOMES, Telemetry
from tests.support.conversations import asked

ON = TelemetryConfig(enabled=True)


def threads() -> list[str]:
    return [each.name for each in threading.enumerate()]


async def test_only_where_it_is_configured_something_runs(tmp_path: Path) -> None:
    off = Telemetry(TelemetryConfig(), tmp_path, "1")
    off.start(lambda warnings: None)
    assert "telemetry" not in threads()
    await off.close()
    on = Telemetry(ON, tmp_path, "1")
    on.start(lambda warnings: None)
    assert "telemetry" in threads()
    await on.close()
    assert "telemetry" not in threads()


async def test_reports_add_up_and_a_problem_is_a_warning_until_it_is_over(tmp_path: Path) -> None:
    told: list[list[str]] = []
    telemetry = Telemetry(ON, tmp_path, "1")
    assert telemetry.counts == dict.fromkeys(OUTCOMES, 0)
    for counts in (
        Counts(exported=2, waiting=5),
        Counts(dropped={"unreachable": 3}, waiting=4, problem="Connection refused"),
        Counts(problem="Connection refused"),
        Counts(exported=1, unsampled=1),
    ):
        telemetry._on_report(counts, told.append)  # as its thread calls it
    assert telemetry.counts["exported"] == 3
    assert telemetry.counts["unreachable"] == 3
    assert telemetry.counts["unsampled"] == 1
    assert telemetry.waiting == 0
    warning = "gateway.telemetry: traces are not exported: Connection refused"
    assert told == [[warning], []]


def test_the_trace_of_a_run_has_a_known_id(tmp_path: Path) -> None:
    assert Telemetry(ON, tmp_path, "1").trace_id(asked("r")) == trace_id("r")
