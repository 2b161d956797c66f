"""Silence, question, verdict."""

from __future__ import annotations

from ipc.heartbeat import Pulse, Verdict


def test_a_peer_that_speaks_is_alive() -> None:
    pulse = Pulse(15, 15, now=100)
    assert pulse.next_due() == 115
    assert pulse.due(114.9) is Verdict.ALIVE
    pulse.on_frame(114.9)
    assert pulse.due(129.8) is Verdict.ALIVE


def test_silence_leads_to_one_question_then_to_the_verdict() -> None:
    pulse = Pulse(15, 10, now=0)
    assert pulse.due(15) is Verdict.ASK
    assert pulse.next_due() == 25
    assert pulse.due(20) is Verdict.SUSPECT
    assert pulse.due(24.9) is Verdict.SUSPECT
    assert pulse.due(25) is Verdict.GONE


def test_an_answer_clears_the_suspicion() -> None:
    pulse = Pulse(15)
    assert pulse.due(15) is Verdict.ASK
    pulse.on_frame(16)
    assert pulse.due(30.9) is Verdict.ALIVE
    assert pulse.due(31) is Verdict.ASK


def test_after_a_suspend_every_peer_still_gets_its_question() -> None:
    """The clock jumps an hour while we were stopped: nobody is gone before they were asked."""
    pulse = Pulse(15, now=0)
    assert pulse.due(3600) is Verdict.ASK
    assert pulse.due(3614) is Verdict.SUSPECT
    assert pulse.due(3615) is Verdict.GONE
