"""A ticket is good for one file of one account, for five minutes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from runtime.gateway.http.tickets import TICKET_SECONDS, MediaTickets

ID, OTHER = "0" * 32, "1" * 32
NOW = 1_000_000.5
TICKETS = MediaTickets(b"secret")


def ticket(account: str = "telegram:a", id: str = ID) -> str:
    address = urlsplit(TICKETS.address(account, id, NOW))
    assert address.path == f"/media/{id}"
    return parse_qs(address.query)["t"][0]


@pytest.mark.parametrize("account", ["telegram:a", "some:Ünder_score.x"])
def test_it_names_the_account(account: str) -> None:
    assert TICKETS.account(ticket(account), ID, NOW) == account


def test_it_ends() -> None:
    assert TICKETS.account(ticket(), ID, NOW + TICKET_SECONDS - 1) == "telegram:a"
    assert TICKETS.account(ticket(), ID, NOW + TICKET_SECONDS) is None


def test_a_clock_that_is_set_back_lets_it_live_no_longer() -> None:
    assert TICKETS.account(ticket(), ID, NOW - 60) == "telegram:a", "clocks are set by seconds"
    assert TICKETS.account(ticket(), ID, NOW - TICKET_SECONDS - 1) is None


def test_it_is_for_that_file_and_this_gateway() -> None:
    assert TICKETS.account(ticket(), OTHER, NOW) is None
    assert MediaTickets(b"another").account(ticket(), ID, NOW) is None


def test_no_part_of_it_can_be_changed() -> None:
    ends, _, proof = ticket().split(".")
    foreign = ticket("telegram:b").split(".")[1]
    assert TICKETS.account(f"{ends}.{foreign}.{proof}", ID, NOW) is None
    assert TICKETS.account(f"{int(ends) + 1}.{ticket().split('.')[1]}.{proof}", ID, NOW) is None


@pytest.mark.parametrize(
    "given", ["", ".", "..", "a.b.c", "1.b.c", "1..", "ä.b.c", "1.=.x", "1.A.x" * 200, "1.2.3.4"]
)
def test_nonsense_is_none(given: str) -> None:
    assert TICKETS.account(given, ID, NOW) is None
