"""Connects a worker to the gateway: messages and answers up, acknowledgements and calls down.

The gateway may be absent, restart or stall at any time. The worker sends ``DataHello`` until it is
welcomed, and sends nothing else until then. It sends ``DataHello`` again when the connection is
new, when the gateway refuses a frame (because it does not know the worker, or lacks a frame), and
when acknowledgements do not come; the ``Welcome`` names the message from which everything is
sent again. Cost per message: one append; one flush per loop iteration.

A plugin that keeps a cursor waits for the last stored one (``wait_for_cursor``), which comes in an
``early`` ``Welcome``. After one, HTTP requests may come to an account that a person logs in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import (
    AccountIdentity,
    Ack,
    Answer,
    Call,
    DataHello,
    HttpCall,
    Refused,
    TurnAck,
    TurnBegin,
    TurnCancel,
    Welcome,
    decode_from_gateway,
    encode,
)
from ipc.identity.peer import PeerCredentials, peer_name
from ipc.zeromq.dealer import Dealer
from workers.links.answers import AnswerFrame, AnswerQueue, progress_of
from workers.links.backlog import Backlog
from workers.links.positions import Positions
from workers.links.waiting import Goals, WaitingEmitters
from workers.messages import Sent

GREET_FIRST = 0.5  # seconds until the second hello; doubles
GREET_LAST = 5.0  # without a gateway they only pile up in ZeroMQ's queue
SILENCE = 1.0  # seconds without an acknowledgement of what is in flight, then a hello again
RENEW_BEATS = 3  # without an answer of a gateway that runs, then a new socket; doubles
RENEW_BEATS_MAX = 96
OnCall = Callable[[Call | HttpCall | TurnBegin | TurnAck | TurnCancel, str], None]


class WorkerDataLink:
    """The data link of one incarnation. ``dropped`` counts dropped frames by reason.

    ``positions`` tracks the plugin's cursor. ``on_call(call, gateway)`` receives each call (for an
    agent each frame of a turn) of the gateway with this boot id.
    """

    def __init__(self, boot: WorkerBoot, on_call: OnCall, log: FilteringBoundLogger) -> None:
        self.backlog = Backlog(on_pack=self._schedule)
        # Queues the payload of one ``channel.message``, with its flags and the cursor that belongs
        # after it. No step between: it is called for every message.
        self.post = self.backlog.append
        self.positions = Positions()
        self.dropped: Counter[str] = Counter()
        self._boot = boot
        self._on_call = on_call
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._dealer: Dealer | None = None
        self._gateway: str | None = None  # the boot id of the last one that sent Welcome
        self._early = ""  # likewise, before the account runs: answers may be sent to it
        self._met = False  # connected once
        self._welcome = False
        self._refusal = ""
        self._pause = GREET_FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._reported = False  # the supervisor says that the gateway runs
        self._asked = False  # a hello is unanswered
        self._unanswered = 0  # beats in a row for which both have been so
        self._patience = RENEW_BEATS
        self._sent_at_hello: int | None = None  # newest message before the unanswered hello
        self._seen = 0  # acknowledged when the timer was set
        self._scheduled = False
        self._answers = AnswerQueue()
        self._unconfirmed = False  # answers were sent since the last Welcome
        self._halted = False  # the gateway can store nothing at the moment
        self._emitters = WaitingEmitters(self.backlog)
        self._quiet: asyncio.Future[None] | None = None
        self._goals = Goals()  # for acknowledged messages
        self._marks = Goals()  # for acknowledged marks
        self._recalled: asyncio.Future[None] | None = None  # the cursor is to come
        self._identified = True  # the present gateway knows the identity, if there is one

    def open(self) -> None:
        """Connect and send the first ``DataHello``; the gateway need not be there."""
        self._connect()
        self._greet()

    def _connect(self) -> None:
        self._dealer = Dealer(
            self._boot.data,
            PeerCredentials(peer_name(self._boot.key, self._boot.incarnation), self._boot.token),
            self._on_body,
            on_error=self._on_error,
            on_writable=self._flush,
        )

    def close(self) -> None:
        """Close at once; await ``wait_settled`` before to leave nothing unsent."""
        if self._timer:
            self._timer.cancel()
        self._emitters.cancel()
        self._goals.cancel()
        self._marks.cancel()
        if self._dealer:
            self._dealer.close()

    async def wait_for_room(self) -> None:
        """Yield to the loop once, then wait until the backlog is below its bounds."""
        await self._emitters.wait()

    def mark(self, cursor: bytes) -> int:
        """Queue a cursor for the position after all posted messages; return the mark's number."""
        number = self.positions.mark(cursor, self.backlog.last)
        self._schedule()
        return number

    def identify(self, identity: str) -> bool:
        """Set the account's identity; return whether the stored cursor belonged to another one."""
        other = self.positions.identify(identity)
        self._identified = False
        self._schedule()
        return other

    async def wait_for_cursor(self) -> None:
        """Wait until the gateway has sent the last stored cursor."""
        self._recalled = self._loop.create_future()
        self._send_hello()
        try:
            await self._recalled
        finally:
            self._recalled = None

    def answer(self, id: int, gateway: str, ok: bool, payload: bytes) -> None:
        """Answer the call ``id`` of ``gateway`` (see ``send_answer``)."""
        self.send_answer(Answer(id, ok, payload), gateway)

    def send_answer(self, answer: AnswerFrame, gateway: str) -> None:
        """Answer a call or HTTP request of ``gateway``; drop the answer if that is gone.

        The next gateway would take it for the answer to its own call with this id.
        """
        if gateway != (self._early or self._gateway):
            self.dropped["late answers"] += 1
            return
        self._answers.append(answer)
        self._schedule()

    def report_progress(self, key: str, attempt: int, texts: list[str], sent: list[Sent]) -> None:
        """Report the progress of a message of several parts, before its answer."""
        frame = progress_of(key, attempt, texts, sent)
        if frame is not None:
            self._answers.append(frame)
            self._schedule()

    def verify(self) -> None:
        """Check that the gateway still knows this worker, by one small frame with each beat.

        If it runs and has not answered for some beats, reconnect.
        """
        if self._reported and self._asked:
            self._unanswered += 1
            if self._unanswered >= self._patience:
                self._renew()
                return
        if self._welcome and not self.backlog.flying:
            self._send_hello()

    def on_gateway_report(self, up: bool) -> None:
        """Apply the supervisor's report whether the gateway runs and should answer."""
        self._reported = up
        self._unanswered = 0

    def _renew(self) -> None:
        """Connect with a new socket, with growing delays, if a running gateway does not answer.

        ZeroMQ reconnects by itself, but not after the peer has refused it.
        """
        if self._patience == RENEW_BEATS:
            self._log.warning("the gateway does not answer: connecting anew")
        self._unanswered, self._patience = 0, min(self._patience * 2, RENEW_BEATS_MAX)
        if self._dealer is not None:
            self._dealer.close()
        self._met = False  # the greeting of the new connection is none of a second one
        self._connect()
        self._on_lost()

    async def wait_settled(self) -> None:
        """Wait until all answers have arrived and all messages that can be are acknowledged."""
        self._flush()
        if self._unconfirmed:
            self._send_hello()  # its Welcome comes after all that was sent before it
        if not self._is_settled():
            self._quiet = self._loop.create_future()
            await self._quiet

    async def wait_acknowledged(self, seq: int, mark: int = 0) -> None:
        """Wait until every message up to ``seq``, and every mark up to ``mark``, is acknowledged.

        Raises ``CancelledError`` when the link is closed first.
        """
        if self.backlog.acked < seq:
            await self._goals.wait(seq)
        if self.positions.acked < mark:
            await self._marks.wait(mark)

    def is_durable(self, seq: int) -> bool:
        """Return whether the message ``seq`` is acknowledged, by a gateway that has stored it."""
        return seq <= self.backlog.acked and self.positions.is_durable(seq)

    def _is_settled(self) -> bool:
        idle = self._halted or (self.backlog.idle and self.positions.idle)
        return idle and not self._answers and not self._unconfirmed

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send everything that may be sent now, in packs."""
        backlog, dealer = self.backlog, self._dealer
        self._scheduled = False
        backlog.begin_turn()
        if dealer is None or dealer.closed:
            return
        send = dealer.send
        if not self._welcome:
            if self._early:
                self._answers.send(send)
            return
        if not self._identified:
            named = self.positions.named
            self._identified = not named or send(encode([AccountIdentity(named)]))
            if not self._identified:
                return
        if self._answers:
            self._unconfirmed = True
            if not self._answers.send(send, backlog):
                return
        while messages := backlog.next_pack():
            if not send(encode([messages])):
                backlog.requeue()
                break
        if (mark := self.positions.next_mark()) and not send(encode([mark])):
            self.positions.resend()
        if backlog.flying and self._timer is None:
            self._watch()

    def _greet(self) -> None:
        """Send ``DataHello`` until welcomed, with growing delays."""
        self._send_hello()
        self._set_timer(self._pause, self._greet)
        self._pause = min(self._pause * 2, GREET_LAST)

    def _send_hello(self) -> None:
        boot, backlog = self._boot, self.backlog
        named, waits = (boot.key, boot.incarnation, boot.token), self._recalled is not None
        hello = DataHello(*named, backlog.oldest, backlog.kept, waits)
        self._asked = True
        if self._dealer and self._dealer.send(encode([hello])) and self._sent_at_hello is None:
            self._sent_at_hello = backlog.sent

    def _watch(self) -> None:
        """Check after ``SILENCE`` whether acknowledgements have come."""
        self._seen = self.backlog.acked
        self._set_timer(SILENCE, self._check_acknowledged)

    def _check_acknowledged(self) -> None:
        self._timer = None
        if self.backlog.flying:
            if self.backlog.acked == self._seen:
                self._send_hello()
            self._watch()

    def _set_timer(self, after: float, then: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(after, then)

    def _on_body(self, body: bytes) -> None:
        if not body:
            self._on_connected()
            return
        asked, self._asked = self._asked, False
        self._unanswered, self._patience = 0, RENEW_BEATS
        for frame in decode_from_gateway(body):
            match frame:
                case Call():  # first: there are far more of them than of all others
                    self._on_call(frame, self._early or self._gateway or "")
                case Ack():
                    self._halted = frame.halted
                    self._unconfirmed &= not (asked and frame.halted)  # no Welcome need follow
                    self._on_ack(frame.seq, frame.mark)
                case Welcome():
                    self._on_welcome(frame)
                case Refused():
                    self._on_refused(frame)
                case _:
                    self._on_call(frame, self._early or self._gateway or "")

    def _on_ack(self, seq: int, mark: int = 0) -> None:
        if (backlog := self.backlog).ack(seq):
            self._emitters.wake()
            self.positions.on_message_ack(backlog.cursor, backlog.cursor_at)
            if backlog.unsent:
                self._schedule()
        if mark and self.positions.ack(mark):
            self._schedule()  # a newer one may wait
        self._notify_quiet()

    def _on_connected(self) -> None:
        """Handle the router's greeting; on the first connection the hello has already been sent."""
        if self._met:
            self._on_lost()
        self._met = True

    def _on_lost(self) -> None:
        """Stop sending until welcomed, because the last frames may be lost."""
        self._welcome, self._early = False, ""
        self._unconfirmed = False  # those calls have failed at the gateway
        self._sent_at_hello = None
        self._pause = GREET_FIRST
        self._greet()

    def _on_welcome(self, frame: Welcome) -> None:
        self.positions.on_welcome(frame.durable, self.backlog.oldest)
        if self._recalled is not None and not self._recalled.done():
            self.positions.restore(frame.cursor, frame.identity)
            self._recalled.set_result(None)
        if frame.gateway not in (self._early, self._gateway):
            self._answers.clear()
        if frame.early:
            self._early = frame.gateway
            return
        before, self._sent_at_hello = self._sent_at_hello, None
        if frame.wanted:
            self._send_history(frame.wanted, self.backlog.oldest)
        self._on_ack(frame.acked)
        if frame.gateway != self._gateway:
            self._gateway = frame.gateway
            again = self.backlog.resend(marked=True)
            self._log.info("welcomed by the gateway", gateway=frame.gateway, resent=again)
        elif not self._welcome or (before is not None and self.backlog.acked < before):
            # It has read the hello, and so everything it will ever see of what came before.
            self.backlog.resend(marked=False)
        if not self._welcome and self._timer:
            self._timer.cancel()
            self._timer = None
        self._welcome = True
        self._identified = self._unconfirmed = self._halted = False
        self.positions.resend()
        self._refusal = ""
        self._flush()
        self._notify_quiet()

    def _send_history(self, first: int, before: int) -> None:
        """Send a new gateway what an earlier one acknowledged, before anything else."""
        assert self._dealer is not None
        for pack in self.backlog.history(first, before):
            if not self._dealer.send(encode([pack])):
                break  # no room: it asks again with its next welcome, or does without

    def _on_refused(self, frame: Refused) -> None:
        if self._refusal != frame.reason:
            self._refusal = frame.reason
            self._log.info("the gateway does not welcome us yet", reason=frame.reason)
        if self._welcome:
            self._on_lost()

    def _notify_quiet(self) -> None:
        """Wake those that wait for acknowledgements."""
        self._goals.reach(self.backlog.acked)
        self._marks.reach(self.positions.acked)
        if self._quiet and not self._quiet.done() and self._is_settled():
            self._quiet.set_result(None)

    def _on_error(self, error: Exception) -> None:
        self.dropped["malformed frames"] += 1
        self._log.warning("a frame of the gateway was dropped", error=str(error))
