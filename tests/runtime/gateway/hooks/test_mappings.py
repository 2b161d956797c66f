"""Mappings make a wake or a turn of a request; what the request brings is no template."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.hooks.mappings import (
    MAX_RENDERED,
    HookRequest,
    ReadyHook,
    find,
    problems_of,
    read_mappings,
)
from runtime.gateway.hooks.requests import BadHook, HookAgent, HookRules, HookWake

RULES = HookRules(frozenset({"main", "ops"}), channels=("telegram",), accounts=("telegram:b",))
BODY = {
    "ref": "refs/heads/main",
    "sender": {"login": "bob"},
    "commits": [{"id": "c0"}, {"id": "c1", "files": ["a", "b"]}],
    "n": 5,
    "level": "low",
    "x": 1.5,
    "yes": True,
    "none": None,
    "text": "{{headers.secret}} {{ref}}",
}
HEADERS = {"x-github-event": "push", "secret": "s3cret", "authorization": "Bearer hook"}


def request(path: str = "gh", body: Any = None, **query: str) -> HookRequest:
    return HookRequest(path, BODY if body is None else body, HEADERS, query)


def hook(**fields: Any) -> ReadyHook:
    (found,) = read_mappings([{"match": {"path": "gh"}} | fields], RULES)
    return found


def rendered(template: str, **query: str) -> str:
    found = hook(action="wake", textTemplate=f"<{template}>")
    assert found.problem is None
    action = found.action(request(**query), RULES)
    assert isinstance(action, HookWake)
    return action.text[1:-1]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{ref}}", "refs/heads/main"),
        ("{{ ref }}", "refs/heads/main"),
        ("{{sender.login}}", "bob"),
        ("{{payload.sender.login}}", "bob"),
        ("{{commits[1].id}}", "c1"),
        ("{{commits[1].files[0]}}", "a"),
        ("{{commits.0.id}}", "c0"),
        ("{{n}} {{x}} {{yes}} {{none}}|", "5 1.5 true |"),
        ("{{sender}}", '{"login":"bob"}'),
        ("{{headers.x-github-event}}", "push"),
        ("{{headers.X-GitHub-Event}}", "push"),
        ("{{query.k}}", "v"),
        ("{{query.Kind}}", "capital"),
        ("{{payload}}{{headers}}{{query}}", ""),  # of the body
        ("{{path}}", "gh"),
        # What is not there is nothing.
        ("{{nothing}}{{sender.nothing.at.all}}{{commits[2].id}}{{ref.x}}{{n[0]}}", ""),
        ("{{commits.-1.id}}{{commits.id}}{{commits." + "9" * 5000 + "}}", ""),
        ("{{headers.none}}{{query.none}}", ""),
        # Secrets are not there either.
        ("{{headers.authorization}}{{headers.Cookie}}{{headers.x-openclaw-token}}", ""),
        # What a request brings is not looked at again.
        ("{{text}}", "{{headers.secret}} {{ref}}"),
        ("{{query.t}}", "{{headers.secret}}"),
        ("{{query.open}}headers.secret}}", "{{headers.secret}}"),
        # Braces that are no place stay.
        ("{{ref", "{{ref"),
        ("ref}} {ref}", "ref}} {ref}"),
        ("{{{ref}}}", "{refs/heads/main}"),
    ],
)
def test_a_template_is_gone_through_once(template: str, text: str) -> None:
    query = {"k": "v", "t": "{{headers.secret}}", "open": "{{", "Kind": "capital"}
    assert rendered(template, **query) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_value_is_ever_expanded(value: str, other: str) -> None:
    found = hook(action="wake", textTemplate="[{{a}}|{{query.b}}|{{c.d}}]")
    body = {"a": value, "c": {"d": other}, "secret": "S" * 50}
    action = found.action(HookRequest("gh", body, HEADERS, {"b": "{{secret}}"}), RULES)
    assert isinstance(action, HookWake)
    assert action.text == f"[{value}|{{{{secret}}}}|{other}]"


def test_a_whole_mapping() -> None:
    found = hook(
        id="github",
        match={"path": "/gh/", "source": "hub"},
        agentId="ops",
        name="GitHub {{headers.x-github-event}}",
        sessionKey="hook:gh:{{n}}",
        messageTemplate="{{sender.login}} pushed {{ref}}",
        deliver=False,
        channel="telegram",
        to="{{n}}",
        accountId="b",
        model="m/{{n}}",
        thinking="{{level}}",
        timeoutSeconds=30,
    )
    assert found.action(request(), RULES) == HookAgent(
        "bob pushed refs/heads/main",
        name="GitHub push",
        agent="ops",
        session="hook:gh:5",
        deliver=False,
        channel="telegram",
        to="5",
        account="b",
        model="m/5",
        thinking="low",
        timeout=30.0,
    )
    assert not found.fits(request())
    assert found.fits(request(body={"source": "hub"}))
    assert not found.fits(request("other", {"source": "hub"}))


def test_a_whole_mapping_that_wakes() -> None:
    found = hook(
        action="wake",
        wakeMode="next-heartbeat",
        agentId="ops",
        sessionKey="agent:ops:hook:{{n}}",
        textTemplate="{{ref}}",
    )
    expected = HookWake("refs/heads/main", "next-heartbeat", "ops", "agent:ops:hook:5")
    assert found.action(request(), RULES) == expected


@pytest.mark.parametrize(
    ("path", "asked"), [("gh", "gh"), ("/gh/", "gh"), ("a/b/", "a/b"), ("X", "X")]
)
def test_a_path_is_the_same_with_slashes_around_it(path: str, asked: str) -> None:
    found = hook(match={"path": path}, messageTemplate="m")
    assert found.problem is None
    assert found.fits(request(asked))
    assert not found.fits(request(f"{asked}/"))


def test_the_first_that_fits_is_taken() -> None:
    hooks = read_mappings(
        [
            {"match": {"path": "a", "source": "x"}, "messageTemplate": "1"},
            {"match": {"path": "a"}, "messageTemplate": "2"},
            {"match": {"path": "a"}, "messageTemplate": "3"},
        ],
        RULES,
    )
    assert find(hooks, request("a", {"source": "x"})) is hooks[0]
    assert find(hooks, request("a", {"source": ["x"]})) is hooks[1]
    assert find(hooks, request("b")) is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"match": {"path": "wake"}, "messageTemplate": "m"},
            "match.path is empty or one of the gateway's own; allowed",
        ),
        ({}, "messageTemplate is missing; action agent needs it"),
        ({"action": "wake"}, "textTemplate is missing; action wake needs it"),
        ({"messageTemplate": "{{}}"}, "{{}} is no place in a body"),
        ({"messageTemplate": "{{a..b}}"}, "{{a..b}} is no place in a body"),
        ({"messageTemplate": "{{a b}}"}, "{{a b}} is no place in a body"),
        ({"messageTemplate": "{{a[x]}}"}, "{{a[x]}} is no place in a body"),
        ({"messageTemplate": "{{headers.a b}}"}, "{{headers.a b}} names nothing of the headers"),
        ({"messageTemplate": "{{headers.}}"}, "{{headers.}} names nothing of the headers"),
        ({"messageTemplate": "m", "agentId": "nobody"}, 'unknown agentId "nobody"'),
        ({"messageTemplate": "m", "channel": "nochan"}, "channel must be last|telegram"),
        ({"messageTemplate": "m", "channel": "telegram"}, "channel and to must be set together"),
        ({"messageTemplate": "m", "to": "{{n}}"}, "channel and to must be set together"),
        ({"messageTemplate": "m", "accountId": "b"}, "accountId needs channel and to"),
        (
            {"messageTemplate": "m", "channel": "telegram", "to": "1", "accountId": "c"},
            "unknown telegram account 'c'; known: b",
        ),
        ({"messageTemplate": "m", "sessionKey": "agent:main:main"}, "sessionKey must start with"),
        ({"messageTemplate": "m", "sessionKey": "{{ref}}"}, "sessionKey must start with"),
        ({"messageTemplate": "m", "sessionKey": ""}, "sessionKey must start with"),
        ({"messageTemplate": "m", "sessionKey": "ho{{ref}}"}, "sessionKey must start with"),
        (
            {"messageTemplate": "m", "transform": {"module": "a.mjs"}},
            "transform is not there; no module is run here: say in messageTemplate or textTemplate",
        ),
        (
            {"messageTemplate": "m", "allowUnsafeExternalContent": True},
            "allowUnsafeExternalContent is not there; nothing is put around",
        ),
        ({"messageTemplate": 5}, "messageTemplate"),
        ({"messageTemplate": "m", "action": "run"}, "action"),
    ],
)
def test_what_is_wrong_with_a_mapping_spoils_its_hook_alone(
    fields: dict[str, Any], text: str
) -> None:
    path = fields.get("match", {"path": "gh"})["path"].strip("/")
    good = {"match": {"path": "good"}, "messageTemplate": "m"}
    hooks = read_mappings([{"match": {"path": "gh"}} | fields, good], RULES)
    (problem,) = problems_of(hooks)
    where = f"hooks.mappings[0] (/hooks/{path}): "
    assert problem.startswith(where)
    said = problem.removeprefix(where)
    assert said.startswith(text) or f"`{text}`" in said or f".{text}`" in said
    bad = find(hooks, request(path))
    assert bad is hooks[0]
    with pytest.raises(BadHook) as refused:
        bad.action(request(path), RULES)
    assert (refused.value.status, refused.value.error) == (500, "hook mapping failed")
    other = find(hooks, request("good"))
    assert other is not None
    assert other.action(request("good"), RULES) == HookAgent("m")


@pytest.mark.parametrize(
    "given", [None, {}, "x", [None], [5], [{}], [{"match": "gh"}], [{"match": {}}], [[]]]
)
def test_mappings_without_a_path_take_nothing(given: Any) -> None:
    hooks = read_mappings(given, RULES)
    assert find(hooks, request()) is None
    problems = problems_of(hooks)
    assert len(problems) == (len(given) if isinstance(given, list) else 0)
    assert all(each.startswith("hooks.mappings[0]: ") for each in problems)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (5, "5"),
        (None, "null"),
        (["gh"], '["gh"]'),
        ("", '""'),
        ("/", '"/"'),
        (["x" * 99], f'["{"x" * 78}…'),
    ],
)
def test_a_path_that_is_not_valid_is_named_and_takes_nothing(path: Any, named: str) -> None:
    hooks = read_mappings([{"match": {"path": path}, "messageTemplate": "m"}], RULES)
    (problem,) = problems_of(hooks)
    assert problem.startswith(f"hooks.mappings[0] (match.path {named}): ")
    assert "path" in problem.removeprefix(f"hooks.mappings[0] (match.path {named}): ")
    assert [find(hooks, request(each)) for each in ("", "gh", "5")] == [None] * 3


@pytest.mark.parametrize(
    ("source", "others"), [("hub", False), (None, True), (5, True), (["hub"], True)]
)
def test_a_spoilt_mapping_takes_the_requests_of_its_source(source: Any, others: bool) -> None:
    found = hook(match={"path": "gh", "source": source})
    assert found.problem is not None
    assert found.fits(request(body={"source": "hub"}))
    assert found.fits(request(body={"source": "another"})) is others


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"messageTemplate": "{{nothing}}"}, 400, "hook mapping requires message"),
        ({"action": "wake", "textTemplate": " {{none}} "}, 400, "hook mapping requires text"),
        (
            {"messageTemplate": "m", "sessionKey": "hook:{{long}}"},
            400,
            "sessionKey must be printable",
        ),
        ({"messageTemplate": "{{long}}" * 9}, 413, "payload too large"),
    ],
)
def test_what_a_request_lacks_is_an_error_of_the_request(
    fields: dict[str, Any], status: int, error: str
) -> None:
    found = hook(**fields)
    assert found.problem is None
    with pytest.raises(BadHook) as refused:
        found.action(request(body=BODY | {"long": "x" * (MAX_RENDERED // 8)}), RULES)
    assert refused.value.status == status
    assert refused.value.error.startswith(error)


def test_what_is_made_of_a_small_body_is_bounded() -> None:
    found = hook(messageTemplate="{{x}}{{x}}")
    half = "x" * (MAX_RENDERED // 2)
    whole = found.action(request(body={"x": half}), RULES)
    assert isinstance(whole, HookAgent)
    assert len(whole.message) == MAX_RENDERED
    with pytest.raises(BadHook, match="payload too large"):
        found.action(request(body={"x": half + "x"}), RULES)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"agentId": "ops"}, 'unknown agentId "ops"'),
        ({"channel": "telegram", "to": "1", "accountId": "b"}, "unknown telegram account 'b'"),
    ],
)
def test_an_agent_or_account_that_is_gone_is_said_at_the_request(
    fields: dict[str, Any], error: str
) -> None:
    found = hook(messageTemplate="m", **fields)
    assert found.problem is None
    with pytest.raises(BadHook, match=error):
        found.action(request(), HookRules(frozenset({"main"}), channels=("telegram",)))
