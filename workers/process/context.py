"""Give a plugin its context: emit messages, report that it is ready, report its status.

It is deliberately narrow: what a plugin cannot reach in the worker it cannot damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.status import PLUGIN_FIELDS
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.links.events import EventEncoder, flags_of
from workers.messages import Inbound

_AFTER_LINE = re.compile(r"_([a-z])")
MAX_FIELD = 2_000  # characters of a status field


class AccountContext:
    """The ``workers.plugin.Context`` of one account. ``messages_in`` counts emitted messages."""

    def __init__(
        self,
        boot: WorkerBoot,
        config: Any,
        log: structlog.typing.FilteringBoundLogger,
        link: WorkerDataLink,
        control: WorkerControlLink,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.key = boot.key
        self.account_id = boot.key.partition(":")[2]
        self.config = config
        self.storage = Path(boot.storage)
        self.run_dir = Path(boot.run_dir)
        self.log = log
        self.messages_in = 0
        self.events = EventEncoder(boot.key, boot.incarnation)
        self._link = link
        self._control = control
        self._redact = redact

    async def emit(self, message: Inbound) -> None:
        """Emit a message; wait while too many are unacknowledged (back-pressure).

        When cancelled, the message is not emitted. Raises ``TypeError`` for anything but an
        ``Inbound``, ``ValueError`` for one beyond the limits of ``workers.messages``.
        """
        if message.__class__ is not Inbound:
            raise TypeError(f"emit takes an Inbound, not {type(message).__name__}")
        link = self._link
        if link.crowded():
            await link.wait_for_room()
        payload = self.events.inbound(link.backlog.last + 1, message)
        link.post(payload, flags_of(message))
        self.messages_in += 1

    def ready(self) -> None:
        """Report that the account works now. A second call does nothing."""
        self._control.send_ready()

    def status(self, **fields: Any) -> None:
        """Report the connection; see ``workers.plugin.Context``."""
        patch = {_camel(name): self._short(value) for name, value in fields.items()}
        if strange := sorted(set(patch) - PLUGIN_FIELDS):
            raise ValueError(
                f"not a plugin's to set: {', '.join(strange)};"
                f" allowed: {', '.join(sorted(PLUGIN_FIELDS))}"
            )
        self._control.patch(patch)

    def _short(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)[:MAX_FIELD]
        if value is None or isinstance(value, bool | int | float):
            return value
        raise ValueError(f"a status field is text, a number, a boolean or None, not {value!r}")


def _camel(name: str) -> str:
    return _AFTER_LINE.sub(lambda found: found[1].upper(), name)
