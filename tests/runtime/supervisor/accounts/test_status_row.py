"""The fields of a status row that are derived from reports."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.frames.control import Beat
from ipc.frames.words import Phase
from runtime.supervisor.accounts.heartbeat import POSITION_LOST, DataLinkView, Totals
from runtime.supervisor.accounts.status_row import figures_of, health_of


def beat(**figures: Any) -> Beat:
    counts = dict.fromkeys(("queued", "queued_bytes", "emitted", "acked"), 0)
    given: dict[str, Any] = {"rss_bytes": 4096, "fds": 9, "lag": 0.0021, "cpu": 1.0, "dropped": {}}
    given |= counts | {"messages_in": 0, "messages_out": 0} | figures
    return Beat(**given)


def health(phase: Phase = Phase.RUNNING, **more: Any) -> str | None:
    given: dict[str, Any] = {"plugin": {}, "link": DataLinkView(), "beat": None}
    given |= {"suspected": False, "is_agent": False} | more
    return health_of(phase, **given)


def link(*, absent: bool = False, fault: str | None = None) -> DataLinkView:
    made = DataLinkView()
    made.absent, made.journal_fault = absent, fault
    return made


@pytest.mark.parametrize("phase", [each for each in Phase if each is not Phase.RUNNING])
def test_only_what_runs_has_a_health(phase: Phase) -> None:
    assert health(phase, suspected=True) is None


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "ok"),
        ({"plugin": {"connected": True}}, "ok"),
        ({"plugin": {"lastError": "refused"}}, "ok"),
        ({"plugin": {"lastError": "refused"}, "is_agent": True}, "degraded: its turns fail"),
        ({"plugin": {"connected": False}}, "degraded: not connected"),
        ({"beat": beat(media_refusal="no room")}, "degraded: no room"),
        ({"link": link(fault="journal full")}, "degraded: journal full"),
        ({"link": link(absent=True, fault="journal full")}, "degraded: journal full"),
        ({"link": link(absent=True, fault=POSITION_LOST)}, "degraded: not on the data link"),
        ({"link": link(absent=True), "suspected": True}, "degraded: silent"),
    ],
)
def test_the_health_names_what_is_nearest_to_the_process(given: Any, word: str) -> None:
    assert health(**given) == word


def test_figures_of_a_process_end_with_it_and_counters_stay() -> None:
    totals, last = Totals(messages_in=3, messages_out=1), beat(messages_in=2, media_bytes=7)
    there = figures_of(last, totals, alive=True)
    assert (there["rss_bytes"], there["fds"], there["loop_lag_ms"]) == (4096, 9, 2.1)
    assert (there["messages_in"], there["messages_out"], there["media_bytes"]) == (5, 1, 7)
    gone = figures_of(last, totals, alive=False)
    assert (gone["rss_bytes"], gone["fds"], gone["loop_lag_ms"]) == (None, None, None)
    assert gone["messages_in"] == 5
    assert figures_of(None, totals, alive=True)["messages_in"] == 3
