"""A run of the fuzzer: what is drawn, what becomes of it, and what the gateway made of it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import grammar
from tests.fuzz.mutation import mutated, recombined
from tests.fuzz.target import Tally, Target, target

BURST = 100  # frames between two good requests
DAMAGED = 10  # frames of a burst with bytes changed: with one more the connection may be closed
AT_ONCE = 16  # first frames, and HTTP requests, beside each other
PER_EXAMPLE = 5  # frames of one example of hypothesis
SETTLE_SECONDS = 6.0  # until the last refusal that is held back has been said (5 s)


@dataclass(frozen=True)
class Corpus:
    """What hypothesis drew."""

    frames: list[bytes]
    firsts: list[bytes]
    http: list[bytes]
    families: list[list[dict[str, Any]]] = field(init=False)  # the frames by their method

    def __post_init__(self) -> None:
        found: dict[str, list[dict[str, Any]]] = {}
        for frame in _parsed(self.frames):
            found.setdefault(str(frame.get("method")), []).append(frame)
        object.__setattr__(self, "families", list(found.values()))

    @classmethod
    def draw(cls, count: int, start: int, names: Sequence[str] = grammar.NAMES) -> Corpus:
        """Draw about ``count`` of each kind; ``start`` is the seed, ``names`` are methods."""
        frames = _drawn(grammar.odd_frames, count // 10, start)
        for name in names:
            request = grammar.request_of(name).map(grammar.text)
            frames += _drawn(request, count // len(names), start)
        Random(start).shuffle(frames)
        return cls(
            frames,
            _drawn(grammar.first_frames, count, start + 1),
            _drawn(grammar.http_requests, count, start + 2),
        )


@dataclass
class Report:
    """What a run has come to. Memory in bytes, of this process: gateway and clients."""

    seconds: float
    tally: Tally
    grammatical: int  # frames after connect that the grammar or a recombination made
    damaged: int  # frames after connect with bytes changed
    tasks_left: int
    connections_left: int
    rss_warm: int
    rss_end: int


def _drawn(strategy: st.SearchStrategy[bytes], count: int, start: int) -> list[bytes]:
    found: list[bytes] = []

    @seed(start)
    @settings(
        max_examples=max(3, count // PER_EXAMPLE),  # the first is the simplest, alone
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(strategy, min_size=PER_EXAMPLE, max_size=PER_EXAMPLE))
    def collect(drawn: list[bytes]) -> None:
        found.extend(drawn)

    collect()
    return found


def _parsed(frames: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what can be written again; numbers of more than 64 bits and the deep ones cannot."""
    for frame in frames:
        try:
            found = orjson.loads(frame)
            orjson.dumps(found)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            continue
        yield found


def _bursts(corpus: Corpus, random: Random) -> Iterator[tuple[list[bytes], int]]:
    """Yield bursts for ever, and how many frames of each are damaged: in every second some are."""
    verbatim = iter(corpus.frames)
    while True:
        burst = [next(verbatim, None) or recombined(corpus.families, random) for _ in range(BURST)]
        yield burst, 0
        burst = [recombined(corpus.families, random) for _ in range(BURST - DAMAGED)]
        burst += [mutated(random.choice(corpus.frames), random) for _ in range(DAMAGED)]
        random.shuffle(burst)
        yield burst, DAMAGED


async def _beside(
    send: Callable[[bytes], Coroutine[Any, Any, None]], data: Iterator[bytes]
) -> None:
    async def some() -> None:
        for each in data:
            await send(each)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


def _varied(drawn: list[bytes], count: int, random: Random) -> Iterator[bytes]:
    for number in range(count):
        one = drawn[number % len(drawn)]
        yield one if number < len(drawn) else mutated(one, random)


async def run(
    corpus: Corpus,
    *,
    frames: int,
    firsts: int,
    http: int,
    start: int,
    seconds: float = float("inf"),
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Send everything, or what ``seconds`` allow for; stop at the first fault."""
    random = Random(start)
    began = time.monotonic()
    grammatical = 0
    process = psutil.Process()
    rss_warm = 0
    async with target() as there:
        tasks_before = len(asyncio.all_tasks())
        share = seconds * 0.5
        for number, (burst, damaged) in enumerate(_bursts(corpus, random)):
            late = time.monotonic() - began > share
            if there.tally.frames >= frames or late or there.tally.faults:
                break
            # Damage goes as binary frames mostly: text that is no UTF-8 ends the connection.
            protocol = 4 - number // 2 % 2
            first = 0x82 if damaged and number % 10 else 0x81
            if await there.burst(burst, protocol, first=first, fresh=damaged > 0):
                grammatical += len(burst) - damaged
            if there.tally.frames >= frames // 10 and not rss_warm:
                rss_warm = process.memory_info().rss
            if number % 500 == 499:
                say(f"{there.tally.frames} frames, {time.monotonic() - began:.0f} s")
        left = began + seconds * 0.65
        await _beside(
            there.first_frame, _until(left, there, _varied(corpus.firsts, firsts, random))
        )
        say(f"{there.tally.first_frames} first frames, {time.monotonic() - began:.0f} s")
        left = began + seconds
        await _beside(there.request, _until(left, there, _varied(corpus.http, http, random)))
        spent = time.monotonic() - began
        await there.close()
        await _settled(there, tasks_before)
        gc.collect()
        return Report(
            spent,
            there.tally,
            grammatical,
            there.tally.frames - grammatical,
            len(asyncio.all_tasks()) - tasks_before,
            len(there.rig.parts.server.connections) - 1,  # the supervisor's
            rss_warm,
            process.memory_info().rss,
        )


def _until(end: float, there: Target, data: Iterator[bytes]) -> Iterator[bytes]:
    for each in data:
        if time.monotonic() > end or there.tally.faults:
            return
        yield each


async def _settled(there: Target, tasks: int) -> None:
    """Wait until the gateway has let go of everybody."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLE_SECONDS
    while loop.time() < end:
        if len(asyncio.all_tasks()) <= tasks and len(there.rig.parts.server.connections) <= 1:
            return
        await asyncio.sleep(0.05)
