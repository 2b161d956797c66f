"""Permissions, and the table that they cut out."""

import pytest

from runtime.gateway.access.scopes import ADMIN, ALL, OPERATOR, READ, SUPERVISOR, WRITE, covers
from runtime.gateway.methods import METHODS, allowed, public, refusal

ONLY_3 = {"node.pair.request", "node.pair.verify"}


@pytest.mark.parametrize(
    ("granted", "needed", "answer"),
    [
        ([], None, True),
        ([], READ, False),
        ([READ], READ, True),
        ([READ], WRITE, False),
        ([WRITE], READ, True),
        ([WRITE], ADMIN, False),
        ([ADMIN], "operator.pairing", True),
    ],
)
def test_admin_includes_all_and_write_includes_read(
    granted: list[str], needed: str | None, answer: bool
) -> None:
    assert covers(granted, needed) is answer


def test_a_reader_may_read_only() -> None:
    names = set(allowed(OPERATOR, (READ,)))
    assert {"health", "status", "channels.status"} <= names
    assert not names & {"send", "channels.stop", "channels.report"}


def test_the_supervisor_may_do_everything() -> None:
    others = {"node.invoke.result", "node.event"} | ONLY_3
    assert set(allowed(SUPERVISOR, tuple(ALL))) == set(METHODS) - others


def test_what_is_private_is_not_advertised() -> None:
    private = {"channels.report", "supervisor.result", "gateway.closing"}
    assert set(public(3)) == set(METHODS) - private
    assert set(public(4)) == set(METHODS) - private - ONLY_3


def test_every_method_says_what_it_does() -> None:
    passed_on = {"channels.describe", "channels.events", "channels.logs", "channels.holds",
                 "channels.reset"}  # fmt: skip
    for name, entry in METHODS.items():
        assert entry.function.__doc__ or name in passed_on, name


def test_a_refusal_names_what_is_missing() -> None:
    assert refusal("status", OPERATOR, 4).code == "FORBIDDEN"
    assert refusal("status", OPERATOR, 3).code == "INVALID_REQUEST"
    assert refusal("status", "node", 4).message == "unauthorized role: node"
    assert refusal("nobody.knows", "node", 4).message == "unauthorized role: node"
    assert refusal("x" * 500, OPERATOR, 4).message == "unknown method: " + "x" * 128


def test_protocol_3_asks_for_the_scope_before_it_asks_for_the_method() -> None:
    assert refusal("x", OPERATOR, 3, (READ,)).message == "missing scope: operator.admin"
    assert refusal("x", OPERATOR, 3, (ADMIN,)).message == "unknown method: x"
    assert refusal("x", OPERATOR, 4, (READ,)).message == "unknown method: x"
