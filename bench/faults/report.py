"""Writes the table of the faults, for the terminal and for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.faults.fault import FAULTS
from bench.faults.trial import Verdict
from bench.measuring.figures import fixed, median, table

HEAD = (
    "fault",
    "injected",
    "seen, s",
    "recovered, s",
    "sibling restarts",
    "sibling frames lost",
    "sibling p99, ms (calm)",
    "processes / fds left",
    "remark",
)

INTRODUCTION = """# Faults

How faults of one account, of the gateway or of the host affect the other accounts (siblings).
Written by `python -m bench.faults --publish`
({siblings} accounts of `local` that send {rate:g} messages
a second each, one account that fails, eight more that are only killed; rounds: {rounds}; the
faults are in `bench/faults/`).

* **seen**: from the injection to the first change of the account's status on `cli.sock`; for
  a shared fault to the loss of the session, and where no status changes, to what shows it: a
  warning, a dropped line, a closed client, the end of all processes. **recovered**: until the
  former state is restored. Both include the first backoff, here 0.2 s, and for hangs the limits of
  the beat, here a fifth of the defaults (silent for 3 s: asked; for 6 s: ended); for a gateway 5 s
  of silence, and 5 s for the answer to the question that follows.
* **sibling restarts, frames lost, left over** must be 0; otherwise the script fails. A client that
  reconnects when it loses the gateway, and requests missed messages, checks every message's
  number. Left-over processes are found by their environment in `/proc`; files are those of
  supervisor and gateway.
* **sibling p99**: the latency from the emission in the worker to the client, between injection
  and recovery, with the calm seconds before in brackets. `>`: above max(1.5 × calm, calm + 5 ms).
  If the gateway itself is affected, the messages wait for it, and there is no limit. The median
  over the rounds.

Tested elsewhere: all faults in random order ([bench/soak.md](bench/soak.md) and
`tests/scenarios/test_model.py`, `test_model_real.py`), thousands of crashes
([bench/cycles.md](bench/cycles.md)), floods of output ([bench/logbomb.md](bench/logbomb.md)), kills
for lack of memory (`tests/e2e/test_control_groups.py`), full or read-only disks
(`tests/e2e/test_full_disk.py`), networks that go and come
(`tests/runtime/supervisor/accounts/test_network.py`), accounts that crash together
(`tests/runtime/supervisor/accounts/test_crash_storm.py`). A stopped zygote is given
15 s to answer. Accounts that crash within half a minute of many others may be paced as a storm.

"""


def report(found: Sequence[Sequence[Verdict]]) -> str:
    """Return the table; one sequence of verdicts per round, each of the same faults."""
    names = [each.fault for each in found[0]]
    rounds = [[one for each in found for one in each if one.fault == name] for name in names]
    return table(HEAD, [_row(each) for each in rounds])


def _row(rounds: Sequence[Verdict]) -> tuple[str, ...]:
    first = rounds[-1]
    fault = FAULTS[first.fault]
    problems = [each.problem for each in rounds if each.problem]
    return (
        fault.name,
        fault.injected,
        _median([each.seen for each in rounds]),
        _median([each.recovered for each in rounds]),
        "–" if fault.last else str(sum(each.sibling_restarts for each in rounds)),
        "–" if fault.last else str(sum(each.sibling_frames_lost for each in rounds)),
        "–" if fault.last else _latency(rounds, checked=not fault.shared),
        f"{sum(each.processes_left for each in rounds)} / {sum(each.fds_left for each in rounds)}",
        "; ".join([*([first.remark] if first.remark else []), *problems]),
    )


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3f}" if known else "–"


def _latency(rounds: Sequence[Verdict], *, checked: bool) -> str:
    p99 = median(each.p99_ms for each in rounds)
    calm = median(each.calm_p99_ms for each in rounds)
    allowed = median(each.allowed_ms for each in rounds)
    late = checked and not p99 <= allowed  # so is what has no figure
    return f"{'> ' if late else ''}{fixed(p99)} ({fixed(calm)})"
