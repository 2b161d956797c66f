"""The fault script works: it sees what happens, and what must not happen it calls wrong."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from bench.faults import accounts, shared  # noqa: F401 - they enter their faults
from bench.faults.__main__ import RATE, REPORT, SIBLINGS, inject
from bench.faults.fault import FAULTS
from bench.faults.report import INTRODUCTION, report
from bench.faults.rig import BEAT, RESTART, SLOW_SECONDS, config_of, target_account, without_journal
from bench.faults.trial import Verdict
from bench.faults.witness import Stream, p99_ms
from bench.measuring.processes import may_measure
from runtime.config.supervisor_model import SupervisorConfig
from runtime.supervisor.accounts.storm_rules import WINDOW
from runtime.supervisor.gateways.own_session import OwnSession
from runtime.zygote.client import ANSWER_WITHIN

FEW = ("kill", "gateway-kill", "sockets")


@pytest.mark.e2e
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_a_few_faults_with_a_few_siblings_cost_them_nothing() -> None:
    found = await inject(FEW, siblings=4, rate=20.0, calm=0.5)
    assert [each.fault for each in found] == list(FEW)
    for each in found:
        assert each.wrong == []
        assert each.recovered is not None
        assert each.seen is not None
        assert 0 < each.seen <= each.recovered
        assert each.calm_p99_ms > 0
    assert all(name in report([found]) for name in FEW)


def test_the_page_has_the_text_of_the_program_and_the_text_its_figures() -> None:
    page = REPORT.read_text()
    said = re.escape(INTRODUCTION.format(siblings=SIBLINGS, rate=RATE, rounds="ROUNDS"))
    assert re.match(said.replace("ROUNDS", r"\d+"), page)
    for fault in FAULTS.values():  # no older wording, and none is missing
        assert re.search(rf"^\| {fault.name} +\| {re.escape(fault.injected)} +\|", page, re.M)
    default, words = SupervisorConfig(), " ".join(INTRODUCTION.split())
    assert f"backoff, here {RESTART['initialSeconds']:g} s" in words
    assert f"silent for {BEAT['suspectAfterSeconds']:g} s: asked" in words
    assert f"for {BEAT['silentAfterSeconds']:g} s: ended" in words
    assert default.silent_after_seconds == 5 * BEAT["silentAfterSeconds"]
    assert default.suspect_after_seconds == 5 * BEAT["suspectAfterSeconds"]
    silence = config_of({})["gateway"]["silentAfterSeconds"]
    asked = f"{silence} s of silence, and {OwnSession.VERIFY_WITHIN:g} s for the answer"
    assert asked in words
    assert f"A stopped zygote is given {ANSWER_WITHIN:g} s" in words
    assert WINDOW == 30.0  # half a minute
    assert target_account()["restart"]["slowSeconds"] == SLOW_SECONDS == 3600
    assert default.restart.slow_seconds == 15 * 60
    assert accounts.LATE in page


def test_connections_of_the_journal_are_left_over_only_beyond_those_that_it_needs() -> None:
    files = Counter({"gateway: /s/journal.db": 4, "gateway: /s/journal.db-wal": 6})
    files |= {"gateway: /s/devices.json": 1}
    left = without_journal(files)
    assert left == {"gateway: /s/journal.db-wal": 2, "gateway: /s/devices.json": 1}


def test_what_is_missing_in_a_stream_is_known_until_it_comes() -> None:
    stream = Stream()
    assert all(map(stream.take, (7, 8, 12)))  # those before the first are nobody's loss
    assert (stream.missing, stream.complete_to) == ({9, 10, 11}, 8)
    assert [stream.take(number) for number in (10, 10, 8, 9, 11)] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert (stream.missing, stream.complete_to) == (set(), 12)


def test_whatever_must_be_nothing_and_is_not_is_wrong() -> None:
    fine = Verdict("kill", 0.1, 0.2, 0, 0, 0, 4.0, 5.0, 0, 0, "")
    assert (fine.wrong, fine.allowed_ms) == ([], 9.0)
    bad = dataclasses.replace(
        fine,
        sibling_restarts=1,
        sibling_frames_lost=2,
        processes_left=3,
        fds_left=4,
        problem="TimeoutError: x",
    )
    assert len(bad.wrong) == 5
    late = dataclasses.replace(fine, p99_ms=9.5)
    assert late.wrong == []  # it is said, and fails nothing
    assert "> 9.5 (4.0)" in report([[late]])


def test_siblings_that_were_not_heard_are_late() -> None:
    silent = Verdict("kill", 0.1, 0.2, 0, 0, 0, 4.0, p99_ms([]), 0, 0, "")
    assert "> none (4.0)" in report([[silent]])
    assert "> 5.0 (4.0)" not in report([[silent, dataclasses.replace(silent, p99_ms=5.0)]])
