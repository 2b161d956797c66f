"""The table of methods: scopes, protocols, strict params."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from ipc.errors import CallTimeout, PeerGone
from runtime.gateway import methods
from runtime.gateway.access.scopes import ADMIN, ALL, OPERATOR, READ, SUPERVISOR
from runtime.gateway.clients.method_table import (
    METHODS,
    allowed,
    import_all,
    method,
    public,
    refusal,
    register_late,
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
        (
            "events.subscribe",
            {"cursors": {f"irc:{n}": "1:0" for n in range(10_001)}},
            "at /cursors: must NOT have more than 10000 properties",
        ),
        (
            "events.subscribe",
            {"accounts": ["irc:x"] * 10_001},
            "at /accounts: must NOT have more than 10000 items",
        ),
    ],
)
async def test_params_are_strict(method: str, params: Any, message: str) -> None:
    async with gateway_rig() as rig:
        answer = await (await greeted(rig)).call(method, params)
        assert answer["error"] == {
            "code": "INVALID_REQUEST",
            "message": f"invalid {method} params: {message}",
        }


IN_DOUBT = {"maybeExecuted": True}


@pytest.mark.parametrize(
    ("error", "name", "retryable", "details"),
    [
        (PeerGone("the gateway", maybe_executed=True), "send", True, None),  # with its key
        (PeerGone("irc:x", maybe_executed=True), "channels.logout", False, IN_DOUBT),
        (PeerGone("irc:x", maybe_executed=True), "channels.stop", True, None),
        (PeerGone("irc:x", maybe_executed=True), "channels.status", True, None),
        (PeerGone("irc:x", maybe_executed=False), "send", True, None),
        (CallTimeout("channels.logout", 20), "channels.logout", False, IN_DOUBT),
        (CallTimeout("logs.tail", 20), "logs.tail", True, None),
    ],
)
def test_a_call_without_an_answer_is_repeated_where_that_does_no_harm(
    error: PeerGone | CallTimeout, name: str, retryable: bool, details: Any
) -> None:
    found = import_all()[name].unanswered(error)
    assert (found.code, found.retryable, found.details) == ("UNAVAILABLE", retryable, details)
    assert found.message.startswith(str(error))
    assert ("may have been executed" in found.message) or not found.details


def unbounded(kind: inspect.Type, path: str) -> Iterator[str]:
    """Yield the places in a type where a request may have as much as it likes."""
    match kind:
        case inspect.Metadata():
            yield from unbounded(kind.type, path)
        case inspect.UnionType():
            for each in kind.types:
                yield from unbounded(each, path)
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType():
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.item_type, f"{path}[]")
        case inspect.DictType():
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.value_type, f"{path}.*")
        case inspect.StructType():
            for field in kind.fields:
                yield from unbounded(field.type, f"{path}.{field.encode_name}")


def test_what_a_request_may_list_has_a_limit() -> None:
    methods = import_all()
    found = {
        place
        for name in {*public(3), *public(4)}
        if (struct := methods[name].struct) is not None
        for place in unbounded(inspect.type_info(struct), name)
    }
    # What an agent has said: its frame is the limit, as it is for agents in processes of ours.
    assert found == {"agents.turn.events.events[].arguments", "agents.turn.end.final.attachments"}


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


def test_every_file_with_a_method_is_a_family_that_is_imported() -> None:
    files = Path(methods.__file__).parent.glob("*.py")
    families = {path.stem for path in files if "\n@method(" in path.read_text()}
    assert families == {*methods.LATE, *methods.__all__} - {"LATE"}


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
    register_late("family", ["late.read"], import_family)
    register_late("broken", ["late.broken"], import_family)
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
