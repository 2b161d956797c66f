"""Defines the delays and time limits of a supervised process. Pure.

All times are seconds. ``lifecycle`` decides by them.
"""

from __future__ import annotations

import msgspec

from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.refusals import RefusalPolicy


class Policy(msgspec.Struct, frozen=True):
    """The restart delays of a child, and its time limits to start, to stop and to be forgiven.

    After ``slow_after`` failures in a row (``None``: never) it is tried every ``slow`` seconds; it
    is never given up. A person has ``login_within`` seconds to log in. ``jitter`` is the largest
    random change of a delay, as a fraction. Without ``refusals`` the first exit that needs a person
    is final.
    """

    initial: float = 5.0
    factor: float = 2.0
    maximum: float = 300.0
    jitter: float = 0.2
    healthy_after: float = 300.0
    slow_after: int | None = 10
    slow: float = 900.0
    ready_within: float = 30.0
    stop_within: float = 5.0
    login_within: float = 600.0
    refusals: RefusalPolicy | None = None

    def delay(self, failures: int, jitter: float) -> float:
        """Return the seconds to wait after the ``failures``-th failure in a row (from 1).

        ``jitter`` is in [-1, 1) and also spreads the longest delay, so that accounts that crashed
        together do not restart together.
        """
        if self.slow_after is not None and failures >= self.slow_after:
            base = self.slow
        else:  # the exponent is bounded so that no count overflows a float
            base = min(self.maximum, self.initial * self.factor ** min(failures - 1, 64))
        return base * self.spread(jitter)

    def spread(self, jitter: float) -> float:
        """Return the random factor of a delay."""
        return 1 + self.jitter * jitter


# Every client waits for the gateway: with half a second of first delay alone, it could not be
# ready again within the half second that is promised after a kill -9.
GATEWAY_POLICY = Policy(initial=0.1, maximum=30.0, healthy_after=60.0, slow_after=None)


def policy_of(spec: WorkerSpec) -> Policy:
    """Return the lifecycle policy that the configuration of an account or agent asks for."""
    restart = spec.restart
    return Policy(
        initial=restart.initial_seconds,
        factor=restart.factor,
        maximum=restart.maximum_seconds,
        jitter=restart.jitter,
        slow_after=restart.slow_after,
        slow=restart.slow_seconds,
        ready_within=restart.ready_within_seconds,
        stop_within=restart.stop_within_seconds,
        healthy_after=restart.healthy_after_seconds,
        login_within=spec.login.within_seconds,
        refusals=RefusalPolicy(slow=restart.slow_seconds),
    )
