"""Defines how processes are watched, limited, and started again after a failure. Pure."""

from typing import Annotated

from msgspec import Meta

from runtime.config.fields import Count, Seconds, Section


class RestartConfig(Section, frozen=True):
    """When a failed account is started again; ``runtime.supervisor.lifecycle`` has the formula."""

    # OpenClaw's policy for channels: gentle to a platform that is down.
    initial_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds to wait after the first failure; each further wait is `factor` "
            "times the one before."
        ),
    ] = 5.0
    factor: Annotated[
        float,
        Meta(ge=1, le=100),
        Meta(
            description="How many times longer each wait is than the one before; 1: all are equal."
        ),
    ] = 2.0
    maximum_seconds: Annotated[
        Seconds, Meta(description="The longest wait in seconds, until it counts as a crash loop.")
    ] = 300.0
    jitter: Annotated[
        float,
        Meta(ge=0, le=1),
        Meta(
            description="The share by which each wait is shortened or lengthened at random (0 "
            "to 1), so that accounts that failed together do not restart together."
        ),
    ] = 0.2
    healthy_after_seconds: Annotated[
        Seconds, Meta(description="Seconds of running after which earlier failures are forgiven.")
    ] = 300.0
    slow_after: Annotated[
        Count,
        Meta(
            description="Failures in a row from which on it is a crash loop, with a try every "
            "`slowSeconds`."
        ),
    ] = 10
    slow_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds between two tries in a crash loop, and of an account that "
            "needs a person and has run before; it is never given up."
        ),
    ] = 900.0
    # Some logins are slow.
    ready_within_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds that a start may take; a process that is not ready by then is "
            "ended, and counts as failed."
        ),
    ] = 30.0
    stop_within_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds to log out and to pass on remaining messages when it is "
            "stopped; then it is killed."
        ),
    ] = 5.0

    def __post_init__(self) -> None:
        if self.maximum_seconds < self.initial_seconds:
            raise ValueError(
                f"maximumSeconds ({self.maximum_seconds:g}) must not be "
                f"less than initialSeconds ({self.initial_seconds:g})"
            )


class LoginConfig(Section, frozen=True):
    """How a person logs accounts in whose channels ask for it (a QR code, a password)."""

    # Time to fetch the phone.
    within_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds that a person has for a login; then the account is failed, and "
            "`trunkline channels login` starts again."
        ),
    ] = 600.0


class HealthMonitorConfig(Section, frozen=True):
    """When a running account is unhealthy (``runtime.supervisor.accounts.health_rules``)."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether running accounts are checked by the connection state that they "
            "report, and restarted when unhealthy."
        ),
    ] = True
    # OpenClaw's numbers: a platform needs time to connect, and to connect again.
    startup_grace_seconds: Annotated[
        Seconds,
        Meta(description="Seconds after it became ready in which an account is not checked."),
    ] = 120.0
    reconnect_grace_seconds: Annotated[
        Seconds,
        Meta(description="Seconds that an account may be disconnected before it is restarted."),
    ] = 120.0
    # A connection can die without a word.
    stale_after_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds without any activity of its connection after which an account "
            "is restarted."
        ),
    ] = 1800.0
    # A long answer is not a hang as long as something happens in it.
    busy_within_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds without any activity after which a busy account counts as "
            "stuck, and is restarted."
        ),
    ] = 1500.0
    # The monitor restarts seldom, so that a wrong rule cannot become a restart loop.
    cooldown_seconds: Annotated[
        Seconds,
        Meta(
            description="Minimal number of seconds between two restarts of one account by this "
            "monitor."
        ),
    ] = 600.0
    restarts_per_hour: Annotated[
        Count,
        Meta(description="Maximal number of restarts of one account by this monitor in an hour."),
    ] = 10


class AccountLimitsConfig(Section, frozen=True):
    """What one account may use.

    Memory is its proportional share (PSS), so that what accounts have in common counts once.
    """

    # Well below the hard limit, so that a leak ends before it hurts.
    memory_soft_bytes: Annotated[
        Annotated[int, Meta(ge=16 << 20)] | None,
        Meta(
            description="Bytes of memory (PSS), with the programs that it has started, above "
            "which it is replaced in order; `null`: no limit. With control groups also "
            "`memory.high`."
        ),
    ] = 192 << 20
    memory_hard_bytes: Annotated[
        Annotated[int, Meta(ge=16 << 20)] | None,
        Meta(
            description="Bytes of memory (PSS), with the programs that it has started, above "
            "which it is killed at once; `null`: no limit. With control groups `memory.max`."
        ),
    ] = 256 << 20
    recycle_jitter_seconds: Annotated[
        float,
        Meta(ge=0, le=86_400),
        Meta(description="Seconds over which replacements for memory are spread at random."),
    ] = 30.0
    # Only root could go below 0.
    niceness: Annotated[
        int,
        Meta(ge=0, le=19),
        Meta(
            description="Its niceness, 0 to 19 as in nice(2); with control groups also "
            "`cpu.weight`."
        ),
    ] = 0
    open_files: Annotated[
        Annotated[int, Meta(ge=64)] | None,
        Meta(
            description="Files that its process may have open (RLIMIT_NOFILE); without it the "
            "daemon's limit."
        ),
    ] = None
    processes: Annotated[
        Count | None,
        Meta(
            description="Processes and threads that its user may have (RLIMIT_NPROC, not for "
            "root), with control groups the account alone (`pids.max`); without it "
            "the daemon's limit."
        ),
    ] = None

    def __post_init__(self) -> None:
        soft, hard = self.memory_soft_bytes, self.memory_hard_bytes
        if soft is not None and hard is not None and hard < soft:
            raise ValueError(
                f"memoryHardBytes ({hard}) must not be less than memorySoftBytes ({soft})"
            )


class SupervisorConfig(Section, frozen=True):
    """How children are watched."""

    # Often enough to see a hang within half a minute, seldom enough to cost nothing.
    beat_seconds: Annotated[
        float,
        Meta(ge=0.05, le=3600),
        Meta(description="Seconds between two beats of each process."),
    ] = 5.0
    # Three missed beats, and six.
    suspect_after_seconds: Annotated[
        Seconds, Meta(description="Seconds without a beat after which a process is asked for one.")
    ] = 15.0
    silent_after_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds without a beat after which a process counts as hung, and is "
            "restarted."
        ),
    ] = 30.0
    # More only makes all of them slow on 2 cores.
    start_concurrency: Annotated[
        int,
        Meta(ge=1, le=1000),
        Meta(description="Accounts that may be starting at the same time; others wait."),
    ] = 8
    restart: Annotated[
        RestartConfig,
        Meta(
            description="When a failed process is restarted; an account, a channel or an agent "
            "may override it."
        ),
    ] = RestartConfig()
    health_monitor: Annotated[
        HealthMonitorConfig,
        Meta(
            description="When a running account is unhealthy; an account or a channel may "
            "override it."
        ),
    ] = HealthMonitorConfig()
    login: Annotated[
        LoginConfig,
        Meta(
            description="How a person logs an account in; an account or a channel may override it."
        ),
    ] = LoginConfig()
    limits: Annotated[
        AccountLimitsConfig,
        Meta(
            description="What each account may use of the host; an account, a channel or an "
            "agent may override it."
        ),
    ] = AccountLimitsConfig()

    def __post_init__(self) -> None:
        if not self.beat_seconds < self.suspect_after_seconds <= self.silent_after_seconds:
            raise ValueError(
                f"beatSeconds ({self.beat_seconds:g}) < suspectAfterSeconds "
                f"({self.suspect_after_seconds:g}) <= silentAfterSeconds "
                f"({self.silent_after_seconds:g}) must hold"
            )
