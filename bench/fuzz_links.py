"""Runs a long campaign of forged ZMTP frames against the links of workers.

    python -m bench.fuzz_links [--link data|control] [--frames 10000] [--seed N]

Beside them a worker sends what is numbered and answers calls. Ends with exit code 1 when any of it
was lost, doubled, forged or out of order, or when memory or open files have grown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
import uvloop

from bench import machine
from tests.fuzz.zmtp_campaign import CAMPAIGNS

MIB = 2**20


def main() -> int:
    """Run the campaign, print its report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz_links", description=__doc__)
    parser.add_argument("--link", choices=CAMPAIGNS, default="data")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    options = parser.parse_args()
    structlog.configure(processors=[_drop])
    print(machine.sentence(machine.describe()))
    report = uvloop.run(CAMPAIGNS[options.link](options.frames, options.seed))
    before, after = report.rss
    print(
        f"seed {options.seed}: {report.frames.total():,} frames, {report.connections} connections"
    )
    print(", ".join(f"{kind}: {count}" for kind, count in report.frames.most_common()))
    print(
        f"{report.refused} handshakes were refused; RSS {before / MIB:.1f} → {after / MIB:.1f} MiB,"
        f" files {report.files[0].total()} → {report.files[1].total()}"
    )
    print(f"the victim said {report.said} and was heard {len(report.heard)} times")
    for each in report.harm():
        print(each)
    return 1 if report.harm() else 0


def _drop(logger: Any, name: str, event: MutableMapping[str, Any]) -> Any:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
