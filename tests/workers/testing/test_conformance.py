"""Conformance fails where a channel loses, doubles, cuts or promises what it has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.lossy_channel import LossyFake
from workers.testing.account import RunningAccount
from workers.testing.conformance import ChannelConformance, ChannelUnderTest
from workers.testing.fakes.local import LocalFake
from workers.testing.kit_client import SendOutcome

LOSSY = ChannelUnderTest(
    "tests.support.lossy_channel:manifest", LossyFake, cannot={"conflict": "made up"}
)
Test = Callable[[ChannelConformance, RunningAccount], None]


class Lossy(ChannelConformance):
    channel = LOSSY


@pytest.fixture
def channel() -> ChannelUnderTest:
    return LOSSY


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (lambda our, account: our.test_a_kill_around_an_emit_loses_and_doubles_nothing(
            account, "before"),
         "said: .*; heard: "),
        (Lossy.test_what_is_delivered_twice_is_heard_once, "twice"),
        (lambda our, account: our.test_texts_around_the_limit_arrive_whole(account, "ascii"),
         "shown whole"),
    ],
)  # fmt: skip
def test_a_channel_with_a_fault_does_not_pass(
    account: RunningAccount, monkeypatch: pytest.MonkeyPatch, test: Test, told: str
) -> None:
    monkeypatch.setattr("workers.testing.loop_thread.PATIENCE", 3.0)
    with pytest.raises(AssertionError, match=told):
        test(Lossy(), account)


class LoggingAccount:
    """An account in whose log an earlier test has left a traceback; ``said`` follows a message."""

    def __init__(self, *said: str) -> None:
        self.fake = LossyFake()
        self.log = ["Traceback of an earlier test"]
        self.said = said

    def send(self, text: str) -> SendOutcome:
        self.log = [*self.log, *self.said]
        return SendOutcome(ok=True, id="1")


def test_a_traceback_counts_for_the_test_that_caused_it_alone() -> None:
    quiet: Any = LoggingAccount("INFO sent")
    Lossy().test_every_word_of_can_is_carried_out(quiet)
    failing: Any = LoggingAccount("Traceback (most recent call last)")
    with pytest.raises(AssertionError, match=r"is logged:\s+Traceback \(most"):
        Lossy().test_every_word_of_can_is_carried_out(failing)


def test_a_promise_without_a_method_does_not_pass() -> None:
    class Promises(Lossy):
        channel = replace(LOSSY, manifest="tests.support.lossy_channel:promising")

    with pytest.raises(AssertionError, match=r"no method for \['edit'\]"):
        Promises().test_every_word_of_can_has_its_method()


@pytest.mark.parametrize(
    ("cannot", "told"),
    [
        ({}, r"the fake has no \['conflict'\]"),
        ({"conflict": ""}, "each word needs its reason"),
        ({"conflict": "x", "fly": "x"}, r"unknown words \['fly'\]"),
        ({"conflict": "x", "outage": "x"}, r"the fake has \['outage'\]"),
        ({"conflict": "x", "login": "x"}, "the manifest has secrets"),
        ({"conflict": "x", "offline": "x"}, "it takes no HTTP requests"),
    ],
)
def test_a_wrong_declaration_does_not_pass(cannot: dict[str, str], told: str) -> None:
    class Declared(Lossy):
        channel = replace(LOSSY, cannot=cannot)

    with pytest.raises(AssertionError, match=told):
        Declared().test_what_it_cannot_do_is_declared()


@pytest.mark.parametrize(
    ("heard", "passes"),
    [
        (["a", "b"], True),
        (["b"], True),
        ([], True),
        (["a", "a"], False),
        (["b", "a"], False),
        (["c"], False),
    ],
)
def test_without_replay_what_comes_comes_once_and_in_order(heard: list[str], passes: bool) -> None:
    class Forgets(ChannelConformance):
        channel = ChannelUnderTest("x:y", LocalFake, cannot={"replay": "it is not kept"})

    def expect(*certain: Any) -> None:
        Forgets().expect(heard, ["a", "b"], certain)

    if not passes:
        with pytest.raises(AssertionError):
            expect()
        return
    expect(*heard)
    with pytest.raises(AssertionError, match="durable"):
        expect("never heard")
