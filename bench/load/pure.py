"""Generates load in Python on machines without a compiler; same options and output.

Its result has ``"generator": "python"``: above some 50,000 messages a second it is
what is measured. Of the options of ``load.c`` it lacks those that need its speed: ``--raw``
without ``--bytes``, slow clients.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from itertools import count

import uvloop

from bench.load.receiver import Receiver, receiver
from bench.measuring.figures import percentile

POLITE = 16  # handshakes at a time


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.pure")
    parser.add_argument("mode", choices=("events", "rpc", "connect", "idle"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--warm", type=float, default=0.2)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--connect")
    parser.add_argument("--request", default="")
    parser.add_argument("--watch", default="")
    parser.add_argument("--event", default="")
    parser.add_argument("--plain", action="store_true")
    return parser.parse_args()


class Run:
    """One run of the generator."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.clients: list[Receiver] = []
        self.measuring = False
        self.latencies: list[int] = []
        self.answers = self.errors = self.connects = 0
        self.hello = None if args.plain else args.connect.encode()

    async def run(self) -> None:
        """Connect, wait for ``go``, warm up, measure, print."""
        args = self.args
        while len(self.clients) < args.clients:
            some = min(POLITE, args.clients - len(self.clients))
            self.clients += await asyncio.gather(
                *(receiver(args.port, self.hello, args.event) for _ in range(some))
            )
        self._say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        if args.mode == "idle":
            await asyncio.to_thread(sys.stdin.read)
            return
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(self._work(client)) for client in self.clients]
            await asyncio.sleep(args.warm)
            before, cpu, began = self._frames(), time.process_time_ns(), time.monotonic()
            self._measure(True)
            self._say("begin")
            await asyncio.sleep(args.seconds)
            self._measure(False)
            frames = [now - then for now, then in zip(self._frames(), before, strict=True)]
            self._say("end", sum(frames))
            seconds = time.monotonic() - began
            for task in work:
                task.cancel()
        self._tell(seconds, time.process_time_ns() - cpu, frames)

    async def _work(self, client: Receiver) -> None:
        if self.args.mode == "rpc":
            self._ask_on(client)
        while self.args.mode == "connect":
            began = time.monotonic_ns()
            made = await receiver(self.args.port, self.hello)
            if self.measuring:
                self.connects += 1
                self.latencies.append(time.monotonic_ns() - began)
            made.transport.abort()
        await asyncio.Event().wait()

    def _ask_on(self, client: Receiver) -> None:
        numbers, asked = count(), dict[int, int]()

        def ask() -> None:
            number = next(numbers)
            asked[number] = time.monotonic_ns()
            fields = self.args.request.replace("@", f"{id(client)}-{number}")
            fields = fields.replace("#", str(self.clients.index(client) % 4))
            client.ask(f'{{"type":"req","id":"{number}",{fields}}}'.encode())

        def answered(number: int, ok: bool) -> None:
            self.errors += not ok
            if self.measuring:
                self.answers += 1
                self.latencies.append(time.monotonic_ns() - asked[number])
            del asked[number]
            ask()

        client.on_answer = answered
        for _ in range(self.args.depth):
            ask()

    def _frames(self) -> list[int]:
        return [client.frames for client in self.clients]

    def _measure(self, on: bool) -> None:
        self.measuring = on
        for client in self.clients if self.args.mode == "events" else []:
            client.latencies = self.latencies if on else None

    def _say(self, state: str, frames: int = 0) -> None:
        print(json.dumps({"state": state, "frames": frames, "ns": time.monotonic_ns()}), flush=True)

    def _tell(self, seconds: float, cpu: int, frames: list[int]) -> None:
        values = self.latencies or [0]
        shares = {"p50Us": 0.5, "p99Us": 0.99, "p999Us": 0.999}
        latency = {name: percentile(values, share) / 1e3 for name, share in shares.items()}
        latency |= {
            "count": len(self.latencies),
            "meanUs": sum(values) / len(values) / 1e3,
            "maxUs": max(values) / 1e3,
        }
        result = {
            "generator": "python",
            "seconds": seconds,
            "cpuNs": cpu,
            "frames": self.answers if self.args.mode == "rpc" else sum(frames),
            "bytes": sum(client.bytes for client in self.clients),
            "gaps": sum(client.gaps for client in self.clients),
            "repeats": sum(client.repeats for client in self.clients),
            "errors": self.errors,
            "ended": sum(client.ended.done() for client in self.clients),
            "slowEnded": 0,
            "closeCode": 0,
            "helloBytes": 0,
            "connects": self.connects,
            "least": min(frames),
            "most": max(frames),
            "latency": latency,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(Run(options()).run())
