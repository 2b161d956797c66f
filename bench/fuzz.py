"""Runs a long fuzzing campaign against the gateway.

    python -m bench.fuzz [--frames 1000000] [--firsts 20000] [--http 100000] [--seconds 400]
                         [--write docs/fuzz.md]

What hypothesis draws is sent as it is, then recombined within the grammar, or damaged byte by
byte. Ends with exit code 1 at the first fault, which it prints with the seed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import uvloop

from bench import machine
from bench.measuring.figures import table
from tests.fuzz.campaign import Corpus, Report, run

HEAD = """# Fuzzing

Random input to the gateway and to the workers' links: nearly valid and malformed frames,
handshakes and HTTP requests.

    python -m pytest tests/fuzz                   # a few seconds of it, part of every test run
    python -m bench.fuzz --write docs/fuzz.md     # a long run, which writes this page

`tests/fuzz/grammar.py` describes frames, handshakes and HTTP requests as strategies of hypothesis;
the methods and their params are read from the gateway's own table. Each drawn input is sent
unchanged, then recombined within the grammar (the params of another method, one left out, one
replaced), then damaged byte by byte. The gateway runs in the same process on a real socket, with a
worker and a supervisor that answer at once; connections alternate between Protocol 3 and 4, and
between text and binary frames. After every hundred frames a valid request must be answered.

A fault is an error in any log, an exception that reaches the event loop, a close with 1011,
"internal error", HTTP 500, or an answer that is not a frame.

    coverage run --branch --include=ipc/frames/websocket.py -m bench.fuzz --frames 20000 --http 10

shows how much of the decoder is reached: every branch of `decode_request`, of the depth check
and of the refusals. The rest of the file (93 % is reached) are errors of `decode_from_server`,
which the client uses.

The workers' links speak ZeroMQ and have their own fuzzer, `tests/fuzz/zmtp_campaign.py`:
unauthenticated connections, and connections of an authenticated worker, send forged ZMTP frames of
every kind, complete, split, unfinished, with wrong lengths and flags, during and after the
handshake, beside a worker whose messages must all arrive once and in order. Its long run is
`python -m bench.fuzz_links --frames 10000`.
"""


def page(report: Report, about: str, start: int) -> str:
    """Return the report as a page of the documentation."""
    tally = report.tally
    closes = ", ".join(f"{code}: {count}" for code, count in sorted(tally.closes.items()))
    rows = [
        ["frames after `connect`", f"{tally.frames:,}"],
        ["of these within the grammar", f"{report.grammatical:,}"],
        ["beside them, cut off by a close", f"{tally.cut_off:,}"],
        ["first frames of a connection", f"{tally.first_frames:,}"],
        ["HTTP requests", f"{tally.http:,}"],
        ["frames and responses that came back", f"{tally.answers:,}"],
        ["seconds", f"{report.seconds:.0f}"],
        ["faults, unhandled exceptions", f"{len(tally.faults)}"],
        ["tasks leaked", f"{report.tasks_left}"],
        ["connections leaked", f"{report.connections_left}"],
        ["RSS after a tenth of the frames, MiB", f"{report.rss_warm / 2**20:.1f}"],
        ["RSS at the end, MiB", f"{report.rss_end / 2**20:.1f}"],
        ["closes by code", closes or "none"],
    ]
    return f"{HEAD}\n{table(['the last long run', ''], rows)}\n\nSeed {start}. {about}\n"


def main() -> None:
    """Run and print; exit with 1 if there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--firsts", type=int, default=20_000)
    parser.add_argument("--http", type=int, default=100_000)
    parser.add_argument("--drawn", type=int, default=5_000, help="of each kind, by hypothesis")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--write", type=Path, help="the page to write the report to")
    args = parser.parse_args()
    about = machine.sentence(machine.describe())
    corpus = Corpus.draw(args.drawn, args.seed)
    print(f"seed {args.seed}: {len(corpus.frames)} frames drawn", flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(
            run(
                corpus,
                frames=args.frames,
                firsts=args.firsts,
                http=args.http,
                start=args.seed,
                seconds=args.seconds,
                say=lambda text: print(text, flush=True),
            )
        )
    text = page(report, about, args.seed)
    print(text)
    if args.write:
        args.write.write_text(text)
    for fault in report.tally.faults:
        print(f"FAULT: {fault}")
    sys.exit(bool(report.tally.faults or report.tasks_left or report.connections_left))


if __name__ == "__main__":
    main()
