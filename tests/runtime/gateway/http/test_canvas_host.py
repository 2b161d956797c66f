"""Tickets open the canvas host for an hour; the configuration of a gateway turns it on."""

from __future__ import annotations

import pytest

from runtime.config.http_model import CanvasHostConfig
from runtime.gateway.http.canvas_host import OUTCOMES, CanvasHost, split_ticket

NOW = 1_795_900_000.0


def ticket_of(host: CanvasHost, now: float = NOW) -> str:
    address = host.address("http://h", now)
    assert address.startswith("http://h/__openclaw__/cap/")
    return address.rpartition("/")[2]


def test_a_ticket_is_good_for_an_hour_and_over_restarts_of_the_gateway() -> None:
    host, next_one = (CanvasHost(CanvasHostConfig(), b"s") for _ in range(2))
    ticket = ticket_of(host)
    assert next_one.opens(ticket, NOW)
    assert host.opens(ticket, NOW + 3599.9)
    assert not host.opens(ticket, NOW + 3600)
    assert host.opens(ticket, NOW - 3599), "clocks are set by seconds"
    assert not host.opens(ticket, NOW - 3601), "the clock was set back"
    assert dict(host.counts) == dict.fromkeys(OUTCOMES, 0)


def test_no_other_ticket_is_good() -> None:
    host = CanvasHost(CanvasHostConfig(), b"s")
    ticket = ticket_of(host)
    ends, _, proof = ticket.partition(".")
    later = f"{int(ends, 16) + 1:x}"
    for wrong in (
        *("", ".", ends, f"{ends}.", f".{proof}", f"{later}.{proof}", f"-{ends}.{proof}"),
        *(ticket[:-1], f"{ticket}x", ticket.upper(), f"0{ticket}", f"{ends}.é", "é" * 20),
        *("x" * 10_000, ticket_of(CanvasHost(CanvasHostConfig(), b"other"))),
    ):
        assert not host.opens(wrong, NOW), wrong


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/__openclaw__/canvas/a", (None, "/__openclaw__/canvas/a")),
        ("/__openclaw__/cap/t/__openclaw__/canvas/a", ("t", "/__openclaw__/canvas/a")),
        ("/__openclaw__/cap/", ("", "/")),
        ("/__openclaw__/cap/t", ("t", "/")),
        ("/__openclaw__/cap//__openclaw__/canvas/", ("", "/__openclaw__/canvas/")),
        ("/health", (None, "/health")),
    ],
)
def test_a_ticket_is_split_from_the_path(path: str, found: tuple[str | None, str]) -> None:
    assert split_ticket(path) == found
