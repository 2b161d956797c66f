"""Decides what a supervised process does next, and why. Pure.

``step`` is the whole policy: a function from a state and an event to the next state and a
list of actions. It reads no clock, draws no random number and touches no process, so every
rule about crashes, backoff and manual stops can be read here and tested without waiting.
Each phase has one deadline. STARTING: not ready in time, counted from the moment at which the
process exists (waiting in the start queue does not count), or, if a person must log in, no login
in time. RUNNING: healthy long enough, so failures are forgiven. STOPPING: kill. BACKOFF, and FAILED
with further tries: respawn. All times are seconds.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ipc.frames.words import EXIT_CONFIG, EXIT_NEEDS_LOGIN, EXIT_TEMPORARY, EXIT_UNKNOWN, Phase
from runtime.supervisor.policy import Policy
from runtime.supervisor.refusals import NO_REFUSALS, Refusals, next_try

SIGKILL = 9  # signal(7): how the kernel ends a process when memory runs out

# Causes. Those an operator or the configuration gives to Stop: held, disabled, unconfigured.
HELD = "held"
HOLD_UNKNOWN = "hold_unknown"  # whether a person had stopped it cannot be known any more
RESTART = "restart"  # stopping, only to be spawned again at once
WAITING = "waiting"  # starting, for something that is not its fault
NOBODY_ATTACHED = "nobody_attached"  # starting, for a program that answers in its place
LINKING = "linking"  # starting, for a person who has to log in
NOT_READY = "not_ready"
UNHEALTHY = "unhealthy"
NOT_SPAWNED = "not_spawned"
KILLED = "killed"  # by a signal that was not ours
OUT_OF_MEMORY = "out_of_memory"  # killed by the kernel, or by a limit
OPERATOR = "operator"  # of an exit: a person asked for it
UNKNOWN = "unknown"
CONFIGURATION = "configuration"  # of a restart: its own part of it changed
MEMORY = "memory"  # of a restart: an orderly one, before its limit ends it
EXITED = "exited"  # without a last word
TRANSIENT = "transient"
NEEDS_LOGIN = "needs_login"
MISCONFIGURED = "misconfigured"
FINISHED = "finished"
LOGGED_OUT = "logged_out"

WAITS = {WAITING: (Phase.STARTING,), NOBODY_ATTACHED: (Phase.STARTING, Phase.RUNNING)}  # in which
KEPT_DOWN = frozenset({HELD, HOLD_UNKNOWN})  # only a person starts it again
ENDS = frozenset({FINISHED, LOGGED_OUT})  # the account has ended by itself: it stays down
NEEDS_A_PERSON = frozenset({NEEDS_LOGIN, MISCONFIGURED})
SLOW = "slow"  # of FAILED: a person is needed, and there are tries now and then
ASKED = "asked"  # of BACKOFF: the platform has named the time of the next try
_CAUSE_OF_CODE = {
    EXIT_TEMPORARY: TRANSIENT,
    EXIT_NEEDS_LOGIN: NEEDS_LOGIN,
    EXIT_CONFIG: MISCONFIGURED,
    EXIT_UNKNOWN: UNKNOWN,
}


class Exit(msgspec.Struct, frozen=True):
    """How a process ended; without ``code`` and ``signal`` it was never spawned.

    ``said`` and ``text`` are its last words: the cause it gave, and a sentence for people;
    ``final``: trying again cannot help; ``retry_after``: the seconds it asked to wait. ``oom``: the
    kernel has just killed a process because memory ran out (a hint, for SIGKILL only).
    """

    code: int | None = None
    signal: int | None = None
    said: str | None = None
    text: str | None = None
    final: bool = False
    retry_after: float | None = None
    oom: bool = False

    @property
    def spawned(self) -> bool:
        """Whether a process had been spawned."""
        return self.code is not None or self.signal is not None

    @property
    def cause(self) -> str:
        """The cause: a code that needs a person, else memory, last words, a signal, or a code."""
        if self.code in (EXIT_NEEDS_LOGIN, EXIT_CONFIG):
            return _CAUSE_OF_CODE[self.code]
        if self.signal == SIGKILL and self.oom:
            return OUT_OF_MEMORY
        if self.said:
            return self.said
        if self.signal is not None:
            return KILLED
        return _CAUSE_OF_CODE.get(self.code, EXITED) if self.code is not None else NOT_SPAWNED

    def __str__(self) -> str:
        if self.signal is not None:
            return f"exited (signal {self.signal})"
        return f"exited (code {self.code})" if self.code is not None else "was not spawned"


class State(msgspec.Struct, frozen=True):
    """The state of a child, as far as decisions need it.

    ``cause`` and ``reason`` (a word and a sentence) say why it is not running or, while it is being
    restarted, why it went down. ``restarts`` counts spawns after anything but an orderly stop.
    ``proven``: it has been RUNNING once, so it can work. ``retry``: ``SLOW`` in a FAILED phase with
    further tries, ``ASKED`` in a BACKOFF whose time the platform has set.
    """

    phase: Phase = Phase.STOPPED
    wanted: bool = False
    incarnation: int = 0
    failures: int = 0
    cause: str | None = None
    reason: str | None = None
    restarts: int = 0
    proven: bool = False
    refusals: Refusals = NO_REFUSALS
    retry: str | None = None


class Start(msgspec.Struct, frozen=True):
    """The child should run. An operator's start forgives all failures; an automatic one none.

    ``reason`` and ``by`` are for the history: why an automatic one does not wait, and who asked.
    """

    automatic: bool = False
    reason: str | None = None
    by: str | None = None


class Restart(msgspec.Struct, frozen=True):
    """The child should be replaced at once, without counting a failure.

    ``why`` is the word under which it is counted; ``by`` who asked, for the history.
    """

    automatic: bool = False
    reason: str | None = None
    why: str = OPERATOR
    by: str | None = None


class Stop(msgspec.Struct, frozen=True):
    """The child should stop and stay down. ``by``: who requested it, for the history."""

    cause: str = HELD
    reason: str | None = None
    by: str | None = None


class Reset(msgspec.Struct, frozen=True):
    """All failures are forgiven; nothing else changes. ``by``: who asked, for the history."""

    by: str | None = None


class Spawned(msgspec.Struct, frozen=True):
    """The process exists: its time to become ready begins."""

    incarnation: int


class Waiting(msgspec.Struct, frozen=True):
    """The process waits for something external before it is ready; no ``reason``: no longer."""

    incarnation: int
    reason: str
    cause: str = WAITING


class Linking(msgspec.Struct, frozen=True):
    """The process needs a login; no ``reason``: it is logged in and continues."""

    incarnation: int
    reason: str


class Ready(msgspec.Struct, frozen=True):
    """The process works."""

    incarnation: int


class Unhealthy(msgspec.Struct, frozen=True):
    """The process is there but does not work."""

    incarnation: int
    reason: str


class Exited(msgspec.Struct, frozen=True):
    """The process has ended or could not be spawned; ``at`` is in seconds of a monotonic clock."""

    incarnation: int
    exit: Exit
    at: float = 0.0


class Deadline(msgspec.Struct, frozen=True):
    """The time of ``Wake`` has come; ``phase`` is the one in which it was set."""

    incarnation: int
    phase: Phase


class Spawn(msgspec.Struct, frozen=True):
    """Start the process of this incarnation."""

    incarnation: int


class Terminate(msgspec.Struct, frozen=True):
    """Ask the process to end."""


class Kill(msgspec.Struct, frozen=True):
    """Kill the process and everything that it started."""


class Wake(msgspec.Struct, frozen=True):
    """Report ``Deadline`` after so many seconds, unless the phase changes first."""

    after: float


OfProcess = Spawned | Waiting | Linking | Ready | Unhealthy | Exited
Event = Start | Restart | Stop | Reset | OfProcess | Deadline
Action = Spawn | Terminate | Kill | Wake
Step = tuple[State, list[Action]]


def step(policy: Policy, state: State, event: Event, jitter: float = 0.0) -> Step:
    """Return the next state and the actions on entering it; ``jitter`` is in [-1, 1)."""
    match event:
        case Start(False) | Restart(False):
            state = replace(state, failures=0, refusals=NO_REFUSALS)
        case Restart(why=why) if why == CONFIGURATION:  # what was refused may be other now
            state = replace(state, refusals=NO_REFUSALS)
    match event:
        case Start(True) | Restart(True) if state.cause in KEPT_DOWN and not state.wanted:
            return state, []  # what a person stopped only a person starts
        case Start(True) if state.retry == ASKED:
            return state, []  # the platform would take an earlier try amiss
        case Reset():
            return replace(state, failures=0, refusals=state.refusals.interrupted()), []
        case Spawned(i) | Waiting(i) | Linking(i) | Ready(i) if i != state.incarnation:
            return state, []  # late news of an earlier incarnation
        case Unhealthy(i) | Exited(i) | Deadline(i) if i != state.incarnation:
            return state, []
        case Deadline(phase=armed) if armed is not state.phase:
            return state, []  # the phase ended before its deadline did

    match state.phase, event:
        case Phase.STOPPED | Phase.BACKOFF | Phase.FAILED, Start() | Restart():
            return _spawn(replace(state, wanted=True))
        case Phase.STARTING | Phase.RUNNING, Restart(reason=reason):
            return _stop(policy, state, RESTART, reason)
        case Phase.STOPPING, Restart(reason=reason):
            return replace(state, wanted=True, cause=RESTART, reason=reason), []
        case Phase.STOPPING, Start(automatic, reason) if not (automatic and state.wanted):
            return replace(state, wanted=True, cause=RESTART, reason=reason), []

        case Phase.STARTING | Phase.RUNNING, Stop(cause, reason):
            return _stop(policy, replace(state, wanted=False), cause, reason)
        case Phase.STOPPING, Stop(cause, reason):
            return replace(state, wanted=False, cause=cause, reason=reason), []
        case _, Stop(cause, reason):
            return _stopped(state, cause, reason), []

        case Phase.STARTING, Spawned():
            linking = state.cause == LINKING  # it has said so before its spawn was reported
            return state, [Wake(policy.login_within if linking else policy.ready_within)]
        case Phase.STARTING, Linking(reason=what):
            return _linking(policy, state, what)
        case Phase.STARTING, Deadline() if state.cause == LINKING:
            return _stop(policy, state, LINKING, f"no login within {policy.login_within:g} s")
        case _, Waiting(reason=what, cause=why) if state.phase in WAITS[why]:
            state = replace(state, phase=Phase.STARTING, reason=what or None)
            state = replace(state, cause=why if what else None)
            return state, [Wake(policy.ready_within)]
        case Phase.STARTING, Deadline() if state.cause in WAITS:
            return state, [Wake(policy.ready_within)]
        case Phase.STARTING, Ready():
            state = replace(state, phase=Phase.RUNNING, cause=None, reason=None, proven=True)
            return state, [Wake(policy.healthy_after)]
        case Phase.RUNNING, Deadline():
            return replace(state, failures=0, refusals=NO_REFUSALS), []
        case Phase.STARTING, Deadline():
            return _stop(policy, state, NOT_READY, f"not ready within {policy.ready_within:g} s")
        case Phase.STARTING | Phase.RUNNING, Unhealthy(reason=reason):
            return _stop(policy, state, UNHEALTHY, reason)
        case Phase.STOPPING, Deadline():
            return state, [Kill(), Wake(policy.stop_within)]  # again, should it not die of it
        case Phase.BACKOFF | Phase.FAILED, Deadline():
            return _spawn(state)
        case Phase.STARTING | Phase.RUNNING | Phase.STOPPING, Exited(exit=how, at=at):
            return _exited(policy, state, how, at, jitter)
    return state, []


def _spawn(state: State) -> Step:
    state = replace(
        state,
        phase=Phase.STARTING,
        incarnation=state.incarnation + 1,
        restarts=state.restarts + (state.phase is not Phase.STOPPED),
        retry=None,
    )
    return state, [Spawn(state.incarnation)]


def _linking(policy: Policy, state: State, what: str) -> Step:
    """Set the deadline for a login; a further prompt of the same login does not extend it."""
    asked = state.cause == LINKING
    if not what:
        return (
            (replace(state, cause=None, reason=None), [Wake(policy.ready_within)])
            if asked
            else (state, [])
        )
    return replace(state, cause=LINKING, reason=what), [] if asked else [Wake(policy.login_within)]


def _stop(policy: Policy, state: State, cause: str, reason: str | None) -> Step:
    state = replace(state, phase=Phase.STOPPING, cause=cause, reason=reason)
    return state, [Terminate(), Wake(policy.stop_within)]


def _stopped(state: State, cause: str | None, reason: str | None) -> State:
    # The failures stay: only health forgives them, or an operator's start or reset.
    stopped = replace(state, phase=Phase.STOPPED, wanted=False, retry=None)
    return replace(stopped, cause=cause, reason=reason)


def _exited(policy: Policy, state: State, how: Exit, at: float, jitter: float) -> Step:
    if not state.wanted:
        return _stopped(state, state.cause, state.reason), []
    if state.phase is Phase.STOPPING and state.cause == RESTART:
        return _spawn(state)
    cause, reason = how.cause, how.text or str(how)
    if cause in ENDS:
        return _stopped(state, cause, reason), []
    if state.phase is Phase.STOPPING and state.cause == LINKING:  # no person came: it did not fail
        return replace(state, phase=Phase.FAILED, cause=NEEDS_LOGIN), []
    after = replace(state, failures=state.failures + 1, cause=cause, reason=reason)
    if cause in NEEDS_A_PERSON:
        return _refused(policy, after, how, at, jitter)
    if state.phase is Phase.STOPPING:  # we ended it: why we did is the better reason
        after = replace(after, cause=state.cause or cause, reason=state.reason or reason)
    delay, asked = policy.delay(after.failures, jitter), how.retry_after or 0.0
    after = replace(after, phase=Phase.BACKOFF, refusals=state.refusals.interrupted())
    return replace(after, retry=ASKED if asked > delay else None), [Wake(max(delay, asked))]


def _refused(policy: Policy, state: State, how: Exit, at: float, jitter: float) -> Step:
    """Decide about an exit whose cause needs a person if it persists."""
    rules = policy.refusals
    if rules is None:
        return replace(state, phase=Phase.FAILED), []
    login, cause = state.cause == NEEDS_LOGIN, state.cause or UNKNOWN
    state = replace(state, refusals=state.refusals.add(rules, cause, at, login=login))
    if how.final or not state.proven:  # it cannot pass, or nothing shows that it ever worked
        return replace(state, phase=Phase.FAILED), []
    verdict = next_try(rules, state.refusals, at, policy.spread(jitter))
    if verdict.needs_a_person:
        return replace(state, phase=Phase.FAILED, retry=SLOW), [Wake(verdict.wait)]
    return replace(state, phase=Phase.BACKOFF), [Wake(verdict.wait)]


def cause_of_exit(before: State, how: Exit) -> str:
    """Return the cause of an exit for the history; ``before`` is the state it happened in.

    A process that we ended has the cause of our reason: an operator's stop or restart, or
    unhealthiness. Any other has the cause of its exit.
    """
    if before.phase is not Phase.STOPPING or how.cause in ENDS | NEEDS_A_PERSON:
        return how.cause
    return OPERATOR if before.cause in (HELD, RESTART) else before.cause or how.cause
