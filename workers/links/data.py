"""The worker's side of the data link: messages and answers up, acknowledgements and calls down.

The gateway may be absent, restart or stall at any time. The worker says ``Hello`` until it
is welcomed, and sends nothing else until then. It does so again when the connection is new,
when the gateway refuses a frame (it does not know us, or misses one), and when
acknowledgements stay away; the ``Welcome`` says from where everything is sent again.
Cost per message: one append; one flush per loop turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import (
    PACK_BYTES,
    PACK_FRAMES,
    Ack,
    Answer,
    Call,
    Hello,
    Refused,
    Welcome,
    decode_from_gateway,
    encode,
    peer_name,
)
from ipc.zeromq.link import Dealer
from workers.links.backlog import Outbox
from workers.links.room import Room

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger as Log

GREET_FIRST = 0.5  # seconds until the second Hello; doubles
GREET_LAST = 5.0  # without a gateway they only pile up in ZeroMQ's queue
SILENCE = 1.0  # seconds in which nothing in flight was acknowledged: ask
TURN_MESSAGES = 128  # an account that never waits lets its loop turn after so many


class DataLink:
    """One incarnation's link. ``dropped`` counts what was given up, by reason."""

    def __init__(self, boot: WorkerBoot, on_call: Callable[[Call, str], None], log: Log) -> None:
        self.outbox = Outbox()
        self.dropped: Counter[str] = Counter()
        self._boot = boot
        self._on_call = on_call
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._dealer: Dealer | None = None
        self._gateway: str | None = None  # the one that welcomed us last
        self._met = False  # connected once
        self._welcome = False
        self._refusal = ""
        self._pause = GREET_FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._mark: int | None = None  # newest message sent before the Hello that is unanswered
        self._seen = 0  # acknowledged when the timer was set
        self._turn = 0
        self._scheduled = False
        self._answers: deque[Answer] = deque()
        self._unconfirmed = False  # answers were sent since the last Welcome
        self._room = Room(self.outbox)
        self._quiet: asyncio.Future[None] | None = None
        self._goals: list[tuple[int, asyncio.Future[None]]] = []

    def open(self) -> None:
        """Connect and greet; the gateway need not be there."""
        self._dealer = Dealer(
            self._boot.data,
            peer_name(self._boot.key, self._boot.incarnation),
            self._on_body,
            on_error=self._on_error,
            on_writable=self._flush,
        )
        self._greet()

    def close(self) -> None:
        """Close at once; see ``settled`` for leaving nothing behind."""
        if self._timer:
            self._timer.cancel()
        self._room.close()
        if self._dealer:
            self._dealer.close()

    # -- up

    def crowded(self) -> bool:
        """Whether ``room`` has to be awaited before the next ``post``."""
        return self._turn >= TURN_MESSAGES or self.outbox.full

    def post(self, payload: bytes, flags: int) -> None:
        """Queue the payload of one ``channel.message``."""
        self.outbox.append(payload, flags)
        self._turn += 1
        if not self._scheduled:
            self._schedule()

    async def room(self) -> None:
        """Let the loop turn, and wait until the outbox is below its bounds."""
        await self._room.wait()

    def answer(self, id: int, gateway: str, ok: bool, payload: bytes) -> None:
        """Answer the call ``id`` of ``gateway``; another one would mistake it for its own."""
        if gateway != self._gateway:
            self.dropped["late answers"] += 1
            return
        self._answers.append(Answer(id, ok, payload))
        self._schedule()

    def verify(self) -> None:
        """Ask the gateway whether it still knows us (on each beat; costs one small frame)."""
        if self._welcome and not self.outbox.flying:
            self._say_hello()

    async def settled(self) -> None:
        """Wait until everything said is acknowledged and every answer has arrived."""
        self._flush()
        if self._unconfirmed:
            self._say_hello()  # its Welcome comes after all that was sent before it
        if not self._settled():
            self._quiet = self._loop.create_future()
            await self._quiet

    async def reached(self, seq: int) -> None:
        """Wait until every message up to ``seq`` is acknowledged."""
        if self.outbox.acked < seq:
            goal = self._loop.create_future()
            self._goals.append((seq, goal))
            await goal

    def _settled(self) -> bool:
        return self.outbox.idle and not self._answers and not self._unconfirmed

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what may be sent, in packs."""
        self._scheduled = False
        self._turn = 0
        if not self._welcome or self._dealer is None or self._dealer.closed:
            return
        outbox, send = self.outbox, self._dealer.send
        while self._answers:
            pack = self._some_answers()
            # Messages go along with the last of them: a body costs more than what is in it, and
            # a message that was sent for somebody is told in the same turn as the answer.
            small = sum(len(answer.payload) for answer in pack) <= PACK_BYTES // 2
            along = outbox.take() if small and not self._answers else None
            if not send(encode([*pack, along] if along else pack)):
                if along:
                    outbox.putback()
                self._answers.extendleft(reversed(pack))
                return
            self._unconfirmed = True
        while messages := outbox.take():
            if not send(encode([messages])):
                outbox.putback()
                break
        if outbox.flying and self._timer is None:
            self._watch()

    def _some_answers(self) -> list[Answer]:
        pack = [self._answers.popleft()]
        size = len(pack[0].payload)
        while self._answers and len(pack) < PACK_FRAMES:
            size += len(self._answers[0].payload)
            if size > PACK_BYTES:
                break
            pack.append(self._answers.popleft())
        return pack

    # -- greeting

    def _greet(self) -> None:
        """Say hello until welcomed, ever more slowly."""
        self._say_hello()
        self._set_timer(self._pause, self._greet)
        self._pause = min(self._pause * 2, GREET_LAST)

    def _say_hello(self) -> None:
        boot = self._boot
        hello = Hello(boot.key, boot.incarnation, boot.token, self.outbox.oldest, self.outbox.kept)
        if self._dealer and self._dealer.send(encode([hello])) and self._mark is None:
            self._mark = self.outbox.sent

    def _watch(self) -> None:
        """Look after ``SILENCE`` whether acknowledgements come."""
        self._seen = self.outbox.acked
        self._set_timer(SILENCE, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.outbox.flying:
            if self.outbox.acked == self._seen:
                self._say_hello()
            self._watch()

    def _set_timer(self, after: float, then: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(after, then)

    # -- down

    def _on_body(self, body: bytes) -> None:
        if not body:
            self._connected()
            return
        for frame in decode_from_gateway(body):
            match frame:
                case Ack():
                    self._acked(frame.seq)
                case Call():
                    self._on_call(frame, self._gateway or "")
                case Welcome():
                    self._welcomed(frame)
                case Refused():
                    self._refused(frame)

    def _acked(self, seq: int) -> None:
        if self.outbox.ack(seq):
            self._room.offer()
            if self.outbox.unsent:
                self._schedule()
        self._notice_quiet()

    def _connected(self) -> None:
        """The router's greeting on a new connection; on the first one our Hello is under way."""
        if self._met:
            self._lost()
        self._met = True

    def _lost(self) -> None:
        """What was sent last may be lost: send nothing more until we are welcome again."""
        self._welcome = False
        self._unconfirmed = False  # those calls have failed at the gateway
        self._mark = None
        self._pause = GREET_FIRST
        self._greet()

    def _welcomed(self, frame: Welcome) -> None:
        mark, self._mark = self._mark, None
        if frame.wanted:
            self._recall(frame.wanted, self.outbox.oldest)
        self._acked(frame.acked)
        if frame.gateway != self._gateway:
            self._answers.clear()
            self._gateway = frame.gateway
            again = self.outbox.resend(marked=True)
            self._log.info("welcomed by the gateway", gateway=frame.gateway, resent=again)
        elif not self._welcome or (mark is not None and self.outbox.acked < mark):
            # It has read our Hello, and so everything it will ever see of what came before.
            self.outbox.resend(marked=False)
        if not self._welcome and self._timer:
            self._timer.cancel()
            self._timer = None
        self._welcome = True
        self._unconfirmed = False
        self._refusal = ""
        self._flush()
        self._notice_quiet()

    def _recall(self, first: int, before: int) -> None:
        """Give a new gateway what an earlier one acknowledged, before anything else."""
        assert self._dealer is not None
        for pack in self.outbox.history(first, before):
            if not self._dealer.send(encode([pack])):
                break  # no room: it asks again with its next welcome, or does without

    def _refused(self, frame: Refused) -> None:
        if self._refusal != frame.reason:
            self._refusal = frame.reason
            self._log.info("the gateway does not welcome us yet", reason=frame.reason)
        if self._welcome:
            self._lost()

    def _notice_quiet(self) -> None:
        for goal in [goal for goal in self._goals if goal[0] <= self.outbox.acked]:
            self._goals.remove(goal)
            if not goal[1].done():
                goal[1].set_result(None)
        if self._quiet and not self._quiet.done() and self._settled():
            self._quiet.set_result(None)

    def _on_error(self, error: Exception) -> None:
        self.dropped["malformed frames"] += 1
        self._log.warning("a frame of the gateway was dropped", error=str(error))
