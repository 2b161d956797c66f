"""Writes what a soak has found, and names what must be 0 and is not. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from bench.measuring.figures import table

INTRODUCTION = """# Soak

Written by `python -m bench.soak --publish`. A real daemon, `trunkline up`, with accounts of `irc`
(on a real server, where ngircd is installed), `local`, `source` (which writes down what it emits)
and `faulty` is hit by faults in random order, one or two at a time: every process is killed,
stopped for two seconds (SIGSTOP) and for ever, the accounts' own code goes wrong in all the ways of
[faults.md](../faults.md), the chat server is killed, clients are cut, accounts are changed, added,
stopped and started, logs are rotated. Gateway and supervisor are ended in the first quarter only:
the rest shows whether they grow. The seed repeats the order; what else the machine does it cannot
repeat.

Each message has a number, inbound and outbound. Two clients check that they come in order, once
(or marked `redelivered`) and complete: one that stays over restarts and asks for what it missed
(`ipc.client.ReconnectingClient`) and one that sees every frame of all accounts, floods too. What is
missing must have been told: by `channel.gap`, or by `possiblyLost` of the incarnation that ended.
"After the last beat" are messages that a killed process had emitted since its last beat, so that
`possiblyLost` cannot count them; after an end in order it must.

Growth is a line fitted through all samples of a process, with its 95 % confidence interval, without
its first fifteen minutes (in a run of less than 45, without a third of that). By then most of what
is bounded is full: each gateway keeps 200 recent messages of an account here, not 1,000, for which
an account of `irc` would need twenty minutes; histories are full from the start on; after each
start of a supervisor or gateway every account is restarted three times; and glibc fills what it
allocates (`MALLOC_PERTURB_`), so that memory counts from its allocation on, not its first use.

"""

MUST_BE_NOTHING = {
    "reordered": "messages reordered",
    "unmarked": "unmarked duplicates",
    "untold": "messages missing of which nothing was told",
    "sibling restarts": "restarts of accounts that were not hit",
    "processes left over": "processes left over",
    "open files left over": "open files left over",
    "files left over": "files left over after the end",
    "not recovered": "faults after which not everything ran again",
}


@dataclass(slots=True)
class Outcome:
    """The result of a soak. ``counts`` by what the report names; ``wrong`` are descriptions."""

    seed: int
    minutes: float = 0.0
    accounts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    traffic: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    series: list[dict[str, Any]] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return everything, for a JSON file."""
        names = [each.name for each in fields(self)]
        found = {name: getattr(self, name) for name in names}
        return found | {"faults": dict(self.faults), "counts": dict(self.counts)}


def problems(outcome: Outcome) -> list[str]:
    """Return what must be 0 and is not."""
    return [
        f"{outcome.counts[name]} {what}"
        for name, what in MUST_BE_NOTHING.items()
        if outcome.counts[name]
    ]


def report(outcome: Outcome) -> str:
    """Return the tables: what must be 0, the traffic, the faults, the growth."""
    must = [[what, str(outcome.counts[name])] for name, what in MUST_BE_NOTHING.items()]
    traffic = [[name, _written(value)] for name, value in outcome.traffic.items() if value]
    faults = [[name, str(count)] for name, count in sorted(outcome.faults.items())]
    growth = [
        [
            f"{each['kind']} {each['pid']}", f"{each['minutes']:g}", str(each["samples"]),
            "{:.1f} → {:.1f}".format(*each["rssMiB"]),
            f"{each['rssSlopeMiBPerHour']:+.2f} ± {each['rssDoubtMiBPerHour']:.2f}",
            "{} → {}".format(*each["fds"]), f"{each['fdsSlopePerHour']:+.1f}",
        ]
        for each in outcome.series
    ]  # fmt: skip
    head = ["process", "minutes", "samples", "RSS, MiB", "MiB/h", "open files", "files/h"]
    injected = sum(outcome.faults.values())
    load = statistics.quantiles(outcome.load, n=10) if len(outcome.load) > 1 else [0.0]
    parts = [
        f"Seed {outcome.seed}: {outcome.accounts} accounts, {outcome.minutes:g} minutes, "
        f"{injected} faults. Load average of the machine meanwhile: nine tenths of the time "
        f"below {load[-1]:.1f}, half below {load[len(load) // 2]:.1f}.",
        table(["must be 0", ""], must),
        table(["traffic", ""], traffic),
        table(["fault", "times"], faults),
        table(head, growth) if growth else "Too short for figures of growth.",
    ]
    return "\n\n".join([*parts, *([_list(outcome.wrong)] if outcome.wrong else [])])


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items()))
    return str(value)


def _list(wrong: list[str]) -> str:
    return "\n".join(["What was wrong:", "", *(f"* {each}" for each in wrong)])
