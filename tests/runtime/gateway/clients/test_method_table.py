"""The table of methods: scopes, protocols, strict params."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway import methods
from runtime.gateway.access.scopes import ADMIN, ALL, OPERATOR, READ, SUPERVISOR
from runtime.gateway.clients.method_table import (
    METHODS,
    allowed,
    enter_late,
    import_all,
    method,
    public,
    refusal,
)
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("channels.status", {"bogus": 1}, "at root: unexpected property 'bogus'"),
        ("channels.status", {"timeoutMs": -1}, "at /timeoutMs: must be >= 0"),
        ("channels.start", {}, "must have required property 'channel'"),
        ("send", {"to": "x"}, "must have required property 'idempotencyKey'"),
        ("send", {"to": "x", "idempotencyKey": "k"}, "text or media is required"),
        ("system-presence", [], "at root: must be object"),
        ("events.subscribe", {"cursors": {"irc:x": "soon"}}, "not a cursor: 'soon'"),
    ],
)
async def test_params_are_strict(method: str, params: Any, message: str) -> None:
    async with gateway_rig() as rig:
        answer = await (await greeted(rig)).call(method, params)
        assert answer["error"] == {
            "code": "INVALID_REQUEST",
            "message": f"invalid {method} params: {message}",
        }


ONLY_3 = {"node.pair.request", "node.pair.verify"}


def test_a_reader_may_read_only() -> None:
    import_all()
    names = set(allowed(OPERATOR, (READ,)))
    assert {"health", "status", "channels.status"} <= names
    assert not names & {"send", "channels.stop", "channels.report"}


def test_the_supervisor_may_do_everything() -> None:
    others = {"node.invoke.result", "node.event", "node.pluginSurface.refresh"} | ONLY_3
    every = set(import_all())
    assert set(allowed(SUPERVISOR, tuple(ALL))) == every - others


def test_what_is_private_is_not_advertised() -> None:
    private = {"channels.report", "supervisor.result", "gateway.closing"}
    private |= {"device.bootstrap.create"}
    assert set(public(3)) == set(import_all()) - private
    assert set(public(4)) == set(import_all()) - private - ONLY_3


def test_the_names_of_what_is_imported_late_are_those_that_it_enters() -> None:
    listed = {name: family for family, names in methods.LATE.items() for name in names.split()}
    own = {each: entry.function.__module__ for each, entry in import_all().items()}
    package = methods.__name__
    at_once = {f"{package}.{name}" for name in methods.__all__}
    expected = {name: module for name, module in own.items() if module not in at_once}
    assert {name: f"{package}.{family}" for name, family in listed.items()} == expected
    for name in listed:
        assert METHODS[name].protocols == {3, 4}, f"{name}: {package} is to import it at once"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Enter two methods late; the list has the families that have been imported."""
    found: list[str] = []

    def import_family(family: str) -> None:
        found.append(family)
        if family == "broken":
            raise ImportError("half of an upgrade")
        method("late.read", READ)(lambda parts, client, params: "read")

    monkeypatch.setattr("runtime.gateway.clients.method_table._late", {})
    monkeypatch.setattr("runtime.gateway.clients.method_table.METHODS", {**METHODS})
    enter_late("family", ["late.read"], import_family)
    enter_late("broken", ["late.broken"], import_family)
    allowed.cache_clear()
    return found


async def test_a_family_is_imported_with_the_first_request_for_one_of_its_methods(
    late: list[str],
) -> None:
    async with gateway_rig() as rig:
        first, second = await greeted(rig), await greeted(rig)
        assert {"late.read", "late.broken"} <= set(public())
        assert late == []
        for client in (first, second, first):
            assert (await client.call("late.read", {}))["payload"] == "read"
            assert late == ["family"]
        answer = await first.call("late.broken", {})
        assert answer["error"]["message"] == "late.broken: internal error"
        assert (await first.call("late.none", {}))["error"][
            "message"
        ] == "unknown method: late.none"
    allowed.cache_clear()


def test_every_method_says_what_it_does() -> None:
    passed_on = {"channels.describe", "channels.events", "channels.logs", "channels.holds",
                 "channels.reset"}  # fmt: skip
    for name, entry in import_all().items():
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
