"""What the supervisor does about accounts that are unwell or use too much memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest

from ipc.frames.control import Beat
from ipc.frames.words import Phase
from runtime.config.supervisor_model import AccountLimitsConfig, HealthMonitorConfig
from runtime.supervisor.accounts.health import HealthCheck
from runtime.supervisor.lifecycle import MEMORY, Restart

MIB = 1 << 20
NOW = 10_000.0
LIMITS = AccountLimitsConfig(
    memory_soft_bytes=100 * MIB, memory_hard_bytes=200 * MIB, recycle_jitter_seconds=10
)


class FakeProcess:
    pid = 4711

    def __init__(self) -> None:
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1


class FakeAccount:
    """Only what HealthCheck looks at; ``posted`` and ``ill`` are what it did."""

    def __init__(self, **plugin: Any) -> None:
        self.phase = Phase.RUNNING
        self.ready_at: int | None = int((NOW - 3600) * 1000)
        self.posted: list[Any] = []
        self.ill: list[str] = []
        self.process = FakeProcess()
        self.incarnation = 7
        self.health = HealthMonitorConfig()
        self.limits = LIMITS
        self.plugin = plugin
        self.rss = 0
        self.launcher = "zygote"
        self.share: int | None = None  # what it has answered
        self.asked = 0
        self.halted = False

    def pop_share(self) -> int | None:
        share, self.share = self.share, None
        return share

    @property
    def spec(self) -> FakeAccount:
        return self

    @property
    def child(self) -> FakeAccount:
        return self

    @property
    def state(self) -> FakeAccount:
        return self

    @property
    def heartbeat(self) -> FakeAccount:
        return self

    @property
    def beat(self) -> Beat:
        return Beat(0.0, self.rss, 0.0, 10, 0, 0, 0, 0, 0, 0, {})

    def post(self, event: Any) -> None:
        self.posted.append(event)

    def mark_unhealthy(self, reason: str) -> None:
        self.ill.append(reason)


def health_check(
    account: FakeAccount,
    share: int | None = 0,
    certain: int | None = None,
    wall: Callable[[], float] = lambda: NOW,
    programs: Collection[int] = (),
) -> HealthCheck:
    def ask(asked: object) -> None:
        account.asked += 1

    return HealthCheck(
        account,  # type: ignore[arg-type]  # only what it looks at
        rand=lambda: 0.5,
        pss=lambda pid: share,
        anonymous=lambda pid: certain,
        programs=lambda pid: programs,
        ask=ask,
        wall=wall,
    )


def test_an_unwell_account_is_restarted_once_in_a_while() -> None:
    account = FakeAccount(connected=False)
    watch = health_check(account)
    watch.check(0.0)
    watch.check(1.0)
    assert account.ill == ["disconnected for 3600 s"]


def test_the_thresholds_are_the_accounts_own() -> None:
    account = FakeAccount(connected=False)
    account.health = msgspec.structs.replace(account.health, enabled=False)
    health_check(account).check(0.0)
    assert not account.ill


def test_an_account_that_never_was_ready_is_not_judged() -> None:
    account = FakeAccount(connected=False)
    account.ready_at = None
    health_check(account).check(0.0)
    assert not account.ill


def test_above_the_soft_limit_it_is_recycled_in_order_after_its_share_of_the_jitter() -> None:
    account = FakeAccount()
    account.rss = 150 * MIB
    watch = health_check(account, 120 * MIB)
    watch.check(0.0)
    watch.check(4.9)
    assert not account.posted
    watch.check(5.0)
    reason = "memory: 120 MiB, over the soft limit of 100 MiB"
    assert account.posted == [Restart(automatic=True, reason=reason, why=MEMORY)]
    assert (account.process.killed, account.ill) == (0, [])


def test_a_recycling_is_forgotten_when_the_process_was_replaced_meanwhile() -> None:
    account = FakeAccount()
    account.rss = 150 * MIB
    watch = health_check(account, 120 * MIB)
    watch.check(0.0)
    account.incarnation, account.rss = 8, 10 * MIB
    watch.check(60.0)
    assert not account.posted


def test_above_the_hard_limit_it_is_killed_at_once() -> None:
    account = FakeAccount()
    account.rss = 300 * MIB
    health_check(account, 201 * MIB).check(0.0)
    assert account.ill == ["memory: 201 MiB, over the hard limit of 200 MiB"]
    assert account.process.killed == 1


@pytest.mark.parametrize(
    ("rss", "share"), [(90 * MIB, 500 * MIB), (150 * MIB, 90 * MIB), (500 * MIB, None)]
)
def test_what_is_shared_with_others_does_not_count(rss: int, share: int | None) -> None:
    account = FakeAccount()
    account.rss = rss
    watch = health_check(account, share)
    watch.check(0.0)
    watch.check(100.0)
    assert (account.posted, account.ill) == ([], [])


def test_without_limits_nothing_is_weighed() -> None:
    account = FakeAccount()
    account.rss = 5000 * MIB
    account.limits = AccountLimitsConfig(memory_soft_bytes=None, memory_hard_bytes=None)
    health_check(account, 5000 * MIB).check(0.0)
    assert not account.ill


@pytest.mark.parametrize(
    "plugin",
    [
        {"connected": False},
        {"lastTransportActivityAt": (NOW - 7200) * 1000},
        {"busy": True, "lastEventAt": (NOW - 7200) * 1000},
    ],
)
def test_what_waits_for_the_journal_is_not_unwell(plugin: dict[str, Any]) -> None:
    account = FakeAccount(**plugin)
    account.halted = True
    now = [NOW]
    watch = health_check(account, wall=lambda: now[0])
    watch.check(0.0)
    account.halted = False
    now[0] += account.health.startup_grace_seconds - 1
    watch.check(1.0)
    assert not account.ill
    now[0] += 1
    watch.check(2.0)
    assert len(account.ill) == 1


def test_what_waits_for_the_journal_may_take_memory_up_to_the_hard_limit() -> None:
    account = FakeAccount()
    account.rss, account.halted = 150 * MIB, True
    watch = health_check(account, 120 * MIB)
    watch.check(0.0)
    watch.check(60.0)
    assert not account.posted
    account.halted = False
    watch.check(61.0)  # as it grows, or shrinks, its next beat decides
    account.halted = True
    watch.check(80.0)
    assert not account.posted
    health_check(account, 201 * MIB).check(81.0)
    assert account.process.killed == 1


def test_an_account_that_does_not_run_is_left_alone() -> None:
    account = FakeAccount(connected=False)
    account.phase, account.rss = Phase.STOPPING, 300 * MIB
    health_check(account, 300 * MIB).check(0.0)
    assert (account.posted, account.ill) == ([], [])


def test_a_process_that_hides_its_memory_weighs_itself() -> None:
    account = FakeAccount()
    account.rss = 150 * MIB
    watch = health_check(account, None)
    watch.check(0.0)
    assert (account.asked, account.posted) == (1, [])
    account.share = 120 * MIB
    watch.check(1.0)
    watch.check(6.0)
    reason = "memory: 120 MiB, over the soft limit of 100 MiB"
    assert account.posted == [Restart(automatic=True, reason=reason, why=MEMORY)]
    assert not watch.unweighed


@pytest.mark.parametrize(
    ("share", "programs", "asked"),
    [(90 * MIB, (), 0), (90 * MIB, (4712,), 1), (110 * MIB, (4712,), 0)],
)
def test_one_whose_programs_may_have_too_much_weighs_itself_with_them(
    share: int, programs: Collection[int], asked: int
) -> None:
    account = FakeAccount()
    account.rss = 300 * MIB  # with the programs
    watch = health_check(account, share, programs=programs)
    watch.check(0.0)
    assert account.asked == asked
    account.share = 250 * MIB if asked else None
    watch.check(1.0)
    assert account.process.killed == asked


def test_below_its_limits_it_is_not_asked() -> None:
    account = FakeAccount()
    account.rss = 90 * MIB
    health_check(account, None).check(0.0)
    assert account.asked == 0


@pytest.mark.parametrize(
    ("answer", "looks"),
    [(None, 3), (0, 2)],
    ids=["it never answers", "it cannot read it either"],
)
def test_an_account_that_cannot_be_weighed_is_known_until_it_can(
    answer: int | None, looks: int
) -> None:
    account = FakeAccount()
    account.rss = 150 * MIB
    watch = health_check(account, None)
    for look in range(looks):
        assert not watch.unweighed
        watch.check(float(look))
        account.share = answer
    watch.check(float(looks))
    assert watch.unweighed
    assert (account.posted, account.ill) == ([], [])
    account.rss = 80 * MIB
    watch.check(100.0)
    assert not watch.unweighed


@pytest.mark.parametrize("claimed", [None, 0, 1 * MIB])
@pytest.mark.parametrize("rss", [1 * MIB, 300 * MIB])
def test_code_that_is_not_trusted_cannot_weigh_less_than_the_kernel_shows(
    claimed: int | None, rss: int
) -> None:
    account = FakeAccount()
    account.launcher, account.rss, account.share = "exec", rss, claimed
    watch = health_check(account, None, 250 * MIB)
    watch.check(0.0)
    assert account.ill == ["memory: 250 MiB, over the hard limit of 200 MiB"]
    assert account.process.killed == 1
    assert not watch.unweighed
