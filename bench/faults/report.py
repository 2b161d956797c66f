"""Writes the table of the faults, for the terminal and for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.faults.fault import FAULTS
from bench.faults.trial import Verdict
from bench.measuring.figures import table

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

What the siblings notice when something goes wrong. Written by `python -m bench.faults --publish`
({siblings} accounts of `local` that say {rate:g} messages a second each, one account that goes
wrong, eight more that are only killed; rounds: {rounds}; the faults are in `bench/faults/`).

* **seen**: from the injection to the first change of the account's status, seen on `cli.sock`; of
  a shared fault, to the loss of the session. **recovered**: until everything is as before. Both
  include the first backoff, set to 0.2 s here, and for hangs the beat's limits, set to a fifth of
  the default (silent for 3 s: asked; for 6 s: ended); for a gateway, 5 s of silence.
* **sibling restarts, frames lost, left over** must be 0; the script fails otherwise. A client that
  connects again whenever it loses the gateway, and asks for what it missed, counts every message's
  number. Processes are searched by their environment in all of `/proc`; files are those of
  supervisor and gateway.
* **sibling p99**: from the emission in the worker to the client, over the time from the injection
  to the recovery, beside the calm seconds just before. `>`: above max(1.5 × calm, calm + 5 ms).
  Where the gateway itself is hit the messages wait for it, and nothing is judged. The median over
  the rounds.

Not here, but shown elsewhere: all of it in random order ([bench/soak.md](bench/soak.md)),
thousands of crashes ([bench/cycles.md](bench/cycles.md)), bombs of
every length of line ([bench/logbomb.md](bench/logbomb.md)), what the kernel ends for want of memory
(`tests/e2e/test_control_groups.py`), full or read-only disks (`tests/e2e/test_full_disk.py`),
networks that go and come
(`tests/runtime/supervisor/accounts/test_network.py`), accounts that crash together
(`tests/runtime/supervisor/accounts/test_crash_storm.py`), and everything
in random order (`tests/scenarios/test_model.py`, `test_model_real.py`). A stopped zygote is given
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
        "–" if fault.last else _latency(rounds, judged=not fault.shared),
        f"{sum(each.processes_left for each in rounds)} / {sum(each.fds_left for each in rounds)}",
        "; ".join([*([first.remark] if first.remark else []), *problems]),
    )


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3f}" if known else "–"


def _latency(rounds: Sequence[Verdict], *, judged: bool) -> str:
    p99 = statistics.median(each.p99_ms for each in rounds)
    calm = statistics.median(each.calm_p99_ms for each in rounds)
    allowed = statistics.median(each.allowed_ms for each in rounds)
    return f"{'> ' if judged and p99 > allowed else ''}{p99:.1f} ({calm:.1f})"
