"""Decides when repeated refusals show that a person is needed. Pure.

A platform may refuse an account only for a minute: services are down, an address is throttled, a
nick is in use. So one refusal proves nothing, whatever its text. Several in a row do, or refusals
over some minutes; even then the account is tried again, slowly. Passwords are always tried
rarely, because many platforms lock an account out after wrong ones.
"""

from __future__ import annotations

import msgspec


class RefusalPolicy(msgspec.Struct, frozen=True):
    """How many refusals prove that a person is needed. All times are seconds.

    ``waits`` follow the first, second and later refusals in a row. ``in_a_row`` refusals of one
    cause, or refusals over ``within``, are enough; from then on there is a try every ``slow``. At
    most ``logins`` passwords are tried in any span of ``login_span``.
    """

    waits: tuple[float, ...] = (5.0, 60.0, 300.0)
    in_a_row: int = 3
    within: float = 600.0
    slow: float = 900.0
    logins: int = 3
    login_span: float = 3600.0


class Refusals(msgspec.Struct, frozen=True):
    """The refusals since the account last worked; times are those of ``refused``.

    ``count`` are in a row, the last ``same`` of them have the same ``cause``, ``since`` is the time
    of the first. ``logins`` are the times of the last refused passwords.
    """

    count: int = 0
    same: int = 0
    cause: str | None = None
    since: float = 0.0
    logins: tuple[float, ...] = ()

    def interrupted(self) -> Refusals:
        """Return the refusals after an exit of another kind, which breaks the row."""
        return Refusals(logins=self.logins)

    def add(self, rules: RefusalPolicy, cause: str, at: float, *, login: bool) -> Refusals:
        """Return the refusals with another one at ``at``; ``login``: a password was refused."""
        return Refusals(
            count=self.count + 1,
            same=self.same + 1 if cause == self.cause else 1,
            cause=cause,
            since=self.since if self.count else at,
            logins=(*self.logins, at)[-rules.logins :] if login else self.logins,
        )


NO_REFUSALS = Refusals()


class NextTry(msgspec.Struct, frozen=True):
    """The next try after a refusal, in ``wait`` seconds, and whether a person is needed."""

    wait: float
    needs_a_person: bool


def next_try(rules: RefusalPolicy, refusals: Refusals, at: float, spread: float) -> NextTry:
    """Return the next try after the last of ``refusals``, which was at ``at``.

    ``spread`` is the random factor of a wait; it never makes a password attempt earlier.
    """
    login_wait = 0.0
    if len(refusals.logins) >= rules.logins:
        login_wait = max(0.0, refusals.logins[-rules.logins] + rules.login_span - at)
    wait = rules.waits[min(refusals.count, len(rules.waits)) - 1] * spread
    earned = (
        refusals.same >= rules.in_a_row
        or at - refusals.since >= rules.within
        or login_wait > rules.within  # the next password is far off: say now what it waits for
    )
    if earned:
        wait = rules.slow * spread
    return NextTry(max(wait, login_wait), earned)
