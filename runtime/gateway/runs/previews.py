"""Shows answers in their chats while agents still write them: one message, which then grows.

``runtime.gateway.conversations.streaming_edits`` decides when. The first preview is a row of the
outbox, the edits that follow are not: what is lost of them the answer makes up for, which takes the
preview's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ipc.epoch import now_ms
from ipc.errors import IpcError, RemoteError
from runtime.gateway.conversations.reply_tags import shown_so_far
from runtime.gateway.conversations.streaming_edits import EditRules, PreviewEdits
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import ReplyTarget, RunSeen
from runtime.gateway.outbox.previews import PREVIEW_MS, preview_key
from runtime.gateway.outbox.results import outgoing_of
from runtime.gateway.runs.lifecycle import RunPhase
from runtime.gateway.runs.links import RunLinks
from runtime.gateway.runs.live import LiveRun
from runtime.gateway.runs.replies import UNASKED, markup_of, preview_of
from workers.messages import Action, Outbound

GATHER_SECONDS = 0.05  # what comes in so short a time is handled together
CALL_SECONDS = 15.0  # the worker gives an edit up after 10 s

_encode = msgspec.json.Encoder().encode


class _Preview:
    """The preview of one run. ``begun``: a message for it may be in the chat."""

    __slots__ = ("begun", "edits", "id", "live", "number", "over", "target", "timer")

    def __init__(self, live: LiveRun, target: ReplyTarget, edits: PreviewEdits) -> None:
        self.live = live
        self.target = target
        self.edits = edits
        self.id = live.run.preview
        self.begun = bool(self.id) or live.resumed  # the journal knows, by the key of its row
        self.number = 0
        self.over = False
        self.timer: asyncio.TimerHandle | None = None


class RunPreviews:
    """The previews of all runs that have not ended.

    ``record(live, record)`` stores a step of a run.
    """

    def __init__(self, links: RunLinks, record: Callable[[LiveRun, RunSeen], None]) -> None:
        self._links = links
        self._record = record
        self._found: dict[str, _Preview] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def on_growth(self, live: LiveRun) -> None:
        """Plan an update of the preview, because the answer of a run has grown."""
        found = self._found.get(live.run.id)
        if found is None:
            target = live.run.reply
            if target is None or live.run.origin.client in UNASKED:
                return  # it may end without an answer, and then its chat gets no text
            if not self._links.outbox.streams(target.account):
                return
            limit = self._links.abilities(target.account).get("text", {}).get("limit", 0)
            rules = EditRules(limit=limit) if limit else EditRules()
            edits = PreviewEdits(rules, now_ms(), shown=bool(live.run.preview))
            found = self._found[live.run.id] = _Preview(live, target, edits)
        if found.timer is None:
            self._schedule(found, GATHER_SECONDS)

    def end(self, live: LiveRun, *, answered: bool) -> str:
        """End the preview of a run; return the key of the row that the answer replaces, or "".

        Without an answer (the agent keeps silent) the preview is deleted.
        """
        run = live.run
        found = self._found.pop(run.id, None)
        if found is None:
            left = live.resumed and run.reply is not None
            streams = left and self._links.outbox.streams(run.reply.account if run.reply else "")
            return preview_key(run.id) if run.preview or streams else ""
        found.over = True
        if found.timer is not None:
            found.timer.cancel()
        if not found.begun:
            return ""
        account = self._links.outbox.find_loaded(found.target.account)
        if account is not None:
            account.withdraw(preview_key(run.id))
        if not answered and found.id:
            self._ask(found, Action("delete", f"{preview_key(run.id)}/delete"))
        return preview_key(run.id)

    def close(self) -> None:
        """Stop all updates: the next gateway continues the previews."""
        self._closed = True
        for each in self._found.values():
            if each.timer is not None:
                each.timer.cancel()

    def _schedule(self, found: _Preview, seconds: float) -> None:
        if found.timer is not None:
            found.timer.cancel()
        found.timer = None
        if not (found.over or self._closed):
            found.timer = self._loop.call_later(seconds, self._refresh, found)

    def _refresh(self, found: _Preview) -> None:
        found.timer = None
        text = shown_so_far(found.live.partial.text)
        if not text or found.live.life.phase is not RunPhase.RUNNING:
            return
        found.edits.set_text(text)
        account = self._links.outbox.find_loaded(found.target.account)
        idle = account is None or not account.entries
        now = now_ms()
        decision = found.edits.next_edit(now, idle=idle)
        if decision.text is None:
            if decision.at is not None:
                self._schedule(found, max(decision.at - now, 1) / 1000)
        elif decision.new:
            found.begun = True
            self._links.jobs.start(self._begin(found, decision.text))
        else:
            found.number += 1
            run = found.live.run
            name = f"{preview_key(run.id)}/{found.number}"
            markup = markup_of(self._links.agents.kind(run.agent))
            edit = Action("edit", name, text=decision.text, markup=markup)
            if not self._ask(found, edit, "preview"):
                self.on_failure(found, None)

    async def _begin(self, found: _Preview, text: str) -> None:
        """Send the first preview, the message that later updates edit."""
        run = found.live.run
        message = preview_of(run, text, found.live.partial.text, self._links.agents.kind(run.agent))
        try:
            row = await self._send(found.target.account, message)
        except IpcError:
            row = None  # the gateway ends, or the account is no more
        if row is not None and row.sent:
            found.id = row.sent[0].id
            found.edits.on_success(now_ms())
            if not found.over and found.live.run.is_open:
                seen = RunSeen(found.live.key, run.id, found.live.run.events, preview=found.id)
                self._record(found.live, seen)
            self._schedule(found, GATHER_SECONDS)
        else:
            found.edits.give_up()

    async def _send(self, key: str, message: Outbound) -> OutgoingRow | None:
        """Send a preview and return its row once it is over; ``None`` if it cannot be sent."""
        outbox, journal = self._links.outbox, self._links.journal()
        account = await outbox.open_for_answer(key)
        if account is None or journal is None or message.key in account.entries:
            return None
        now, payload = now_ms(), _encode(message)
        made = outgoing_of(key, message, payload, "preview", now, now + PREVIEW_MS)
        outbox.accept(account, journal, made)
        return (await account.wait_for_row(message.key))[0]

    def _ask(self, found: _Preview, action: Action, method: str = "action") -> bool:
        """Call the account to edit or delete the message; return whether it is connected."""
        target = found.target
        placed = msgspec.structs.replace(
            action, chat=target.to, message=found.id, thread=target.thread
        )
        waiter = _EditWaiter(self, found)
        return self._links.outbox.ask(target.account, method, _encode(placed), CALL_SECONDS, waiter)

    def on_success(self, found: _Preview) -> None:
        """Handle the success of an edit."""
        found.edits.on_success(now_ms())
        self._schedule(found, GATHER_SECONDS)

    def on_failure(self, found: _Preview, error: Exception | None) -> None:
        """Handle the failure of an edit; ``error`` is ``None`` if the account is not connected."""
        after, passes = None, False
        if isinstance(error, RemoteError):
            after = error.retry_after_ms
            passes = error.retryable
        found.edits.on_failure(now_ms(), after, counts=not passes)
        self._schedule(found, GATHER_SECONDS)


class _EditWaiter:
    """Receives the result of an edit in the place of a future."""

    __slots__ = ("_found", "_previews")

    def __init__(self, previews: RunPreviews, found: _Preview) -> None:
        self._previews, self._found = previews, found

    def done(self) -> bool:
        """Return false: the result is still wanted."""
        return False

    def set_result(self, result: bytes) -> None:
        """Report the success of the edit."""
        self._previews.on_success(self._found)

    def set_exception(self, exception: Exception) -> None:
        """Report the error of the edit."""
        self._previews.on_failure(self._found, exception)
