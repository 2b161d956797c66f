"""Params of requests: what both ends accept, and what neither does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames import requests
from ipc.frames.requests import MAX_LINES, Params

KEY = f"{'a' * 64}:{'b' * 64}"


@pytest.mark.parametrize(
    ("struct", "given"),
    [
        (requests.NoParams, {}),
        (requests.AccountParams, {"account": KEY}),
        (requests.AccountsParams, {"accounts": ["*", "irc", KEY]}),
        (requests.LinesParams, {"accounts": [], "lines": 0}),
        (requests.LinesParams, {"lines": MAX_LINES}),
        (requests.DrainParams, {"accounts": [], "reason": None, "timeoutMs": 0}),
        (requests.TailParams, {"cursor": 0, "limit": 5000, "maxBytes": 1_000_000}),
        (requests.PlaceParams, {"path": "channels.irc.accounts.*"}),
        (requests.WriteParams, {"raw": "{}", "baseHash": "h"}),
        (requests.RestartParams, {"reason": "r" * 500, "delayMs": 60_000}),
    ],
)
def test_the_bounds_are_within_what_is_accepted(
    struct: type[Params], given: dict[str, Any]
) -> None:
    params = msgspec.convert(given, struct)
    assert given.items() <= msgspec.to_builtins(params).items()


@pytest.mark.parametrize(
    ("struct", "given"),
    [
        (requests.NoParams, {"more": 1}),
        (requests.AccountParams, {"account": ""}),
        (requests.AccountParams, {"account": f"{KEY}b"}),
        (requests.AccountsParams, {}),
        (requests.AccountsParams, {"accounts": [""]}),
        (requests.LinesParams, {"lines": -1}),
        (requests.LinesParams, {"lines": MAX_LINES + 1}),
        (requests.DrainParams, {"accounts": [], "timeoutMs": 600_001}),
        (requests.DrainParams, {"accounts": [], "reason": "r" * 501}),
        (requests.TailParams, {"cursor": None}),
        (requests.TailParams, {"limit": 0}),
        (requests.PlaceParams, {"path": "a b"}),
        (requests.WriteParams, {"raw": ""}),
        (requests.WriteParams, {"raw": "{}", "baseHash": ""}),
        (requests.RestartParams, {"delayMs": 60_001}),
    ],
)
def test_what_is_beyond_the_bounds_is_refused(struct: type[Params], given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, struct)


def test_a_write_knows_whether_it_named_what_it_was_made_from() -> None:
    assert msgspec.convert({"raw": "{}"}, requests.WriteParams).base_hash is msgspec.UNSET
