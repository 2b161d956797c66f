"""Figures in the running text are those of the code."""

from __future__ import annotations

import pytest

from ops.openclaw.agents import APART
from ops.openclaw.reading import MAX_INCLUDED_BYTES
from runtime.gateway.access_policy.pairing import MAX_PENDING
from runtime.gateway.conversations.heartbeat_rules import ACK_CHARACTERS
from runtime.gateway.conversations.queue_modes import MAX_LATE
from runtime.gateway.devices.bootstrap import LIFE_MS
from runtime.gateway.devices.devices import REQUEST_MS
from runtime.gateway.hooks.requests import MAX_KEY
from runtime.gateway.http.api import MAX_IN_FLIGHT
from runtime.gateway.http.openai.asked import MAX_FIELDS, MAX_ITEMS, MAX_TOOLS
from runtime.gateway.http.openai.streams import KEEP_ALIVE_SECONDS
from runtime.gateway.outbox import account_rows, capacity
from runtime.gateway.outbox.outbox import SEND_SECONDS
from runtime.gateway.runs.sessions import CONTEXT_BYTES, CONTEXT_ENTRIES, MAX_CONVERSATIONS
from runtime.supervisor.process_setup import FILES_PER_ACCOUNT, MIN_FILES
from tests.docs.links import ROOT

NUMBERS = {2: "two", 3: "three", 5: "five"}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("operations", f"refuses to start below {MIN_FILES}"),
        ("operations", f"each account needs about {FILES_PER_ACCOUNT}."),
        ("isolation", f"a limit of fewer than {MIN_FILES} open files"),
        ("people", f"At most {NUMBERS[MAX_PENDING]} requests are pending per account"),
        ("cron", f"with at most {ACK_CHARACTERS} characters beside it"),
        ("sessions", f"at most {MAX_CONVERSATIONS:,} conversations"),
        ("sessions", f"at most {CONTEXT_ENTRIES} messages and {CONTEXT_BYTES >> 10} KiB"),
        ("sessions", f"up to {MAX_LATE:,} messages of a session"),
        ("http", f"at most {MAX_IN_FLIGHT:,} requests are answered at the same time"),
        ("http", f"more than {MAX_ITEMS:,} messages, parts and calls"),
        ("http", f"{MAX_TOOLS:,} tools, {MAX_FIELDS} fields"),
        ("http", f"a comment every {KEEP_ALIVE_SECONDS:g} s"),
        ("http", f"an `Idempotency-Key` (at most {MAX_KEY} characters)"),
        ("journal", f"At most {account_rows.MAX_ROWS:,} messages of one account wait"),
        ("journal", f"{capacity.MAX_ROWS:,} of all accounts, with {capacity.MAX_BYTES >> 20} MiB"),
        ("journal", f"it waits for {SEND_SECONDS:g} s"),
        ("console", f"a token that is valid for {LIFE_MS // 1000} s"),
        ("protocol", f"is kept for {NUMBERS[REQUEST_MS // 60_000]} minutes"),
        ("openclaw", f"uses the port {APART} above"),
        ("openclaw", f"{MAX_INCLUDED_BYTES >> 20} MiB each"),
    ],
)
def test_a_figure_in_the_text_is_that_of_the_code(page: str, words: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    # Lines may be broken anywhere.
    assert " ".join(words.split()) in " ".join(text.split())
