"""What an edit changes of what only the host may change: a table of ways to try it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from runtime.config.edit.local_changes import local_changes
from runtime.config.text.merge_patch import merged
from runtime.config.text.parse import parse
from tests.runtime.config.example import known as with_agents
from workers.plugin import LOCAL, Manifest
from workers.registry import InstalledChannel, Manifests, manifests

EXEC = {"source": "exec", "id": "touch /tmp/pwned"}
FILE = {"source": "file", "id": "/etc/shadow"}
ENV = {"source": "env", "id": "HOME"}


class Node(msgspec.Struct, rename="camel"):
    """A part of another package's channel, with a mark and with a name that needs none."""

    exit_word: Annotated[str, LOCAL] = ""
    relay: str = ""


class Other(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    base_url: str = "https://api.example"  # its author knows of no marks
    token: str = ""
    words: Annotated[str, LOCAL] = ""
    motto: str = ""
    nodes: list[Node] = []
    options: dict[str, Any] = {}


def known() -> Manifests:
    found = manifests()
    manifest = Manifest("other", "Other", Other, "m:O", secrets=frozenset({"token"}))
    found["other"] = InstalledChannel(manifest, "m:o", "p")
    found.broken["gone"] = "not installed"
    return found


KNOWN = known()
AGENTS = with_agents()
BEFORE: dict[str, Any] = {
    "gateway": {"port": 18789, "auth": {"token": "t0p"}, "tls": {"certPath": "/c.pem"}},
    "channels": {
        "irc": {
            "server": "irc.example",
            "password": "of-the-channel",
            "channels": ["#a key"],
            "accounts": {
                "plain": {"nick": "plain"},
                "own": {"nick": "own", "server": "other.example", "password": "own-password"},
                "quiet": {"nick": "q", "server": "third.example", "sasl": None, "channels": []},
                "ref": {"nick": "ref", "sasl": {"user": "u", "password": EXEC}},
            },
        },
        "other": {"token": "of-others", "accounts": {"a": {}, "b": {"baseUrl": "https://b"}}},
        "gone": {"accounts": {"x": {"word": "w"}}},
        "local": {"accounts": {"demo": {}}},
    },
}


def irc(account: str, **fields: Any) -> dict[str, Any]:
    return {"channels": {"irc": {"accounts": {account: fields}}}}


def channel(name: str, **fields: Any) -> dict[str, Any]:
    return {"channels": {name: fields}}


def gateway(**fields: Any) -> dict[str, Any]:
    return {"gateway": fields}


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    # The gateway: what is run, what it is connected to, what it opens, where it listens.
    (gateway(command=["sh", "-c", "id"]), ["gateway.command"]),
    (gateway(command=["a"], repairCommand=["b"]), ["gateway.command", "gateway.repairCommand"]),
    (gateway(url="wss://evil.example"), ["gateway.url"]),
    (gateway(attach="auto"), ["gateway.attach"]),
    (gateway(port=1), ["gateway.port"]),
    (gateway(bind="203.0.113.1"), ["gateway.bind"]),
    (
        gateway(tls={"enabled": True, "keyPath": "/k"}),
        ["gateway.tls.enabled", "gateway.tls.keyPath"],
    ),
    (gateway(nodes={"allowCommands": ["system.run"]}), ["gateway.nodes.allowCommands"]),
    (gateway(remoteExec=True), ["gateway.remoteExec"]),
    # Removing a local field, or what it stands in: its default, or what is inherited, would count.
    (gateway(port=2, tls=None), ["gateway.port", "gateway.tls.certPath"]),
    ({"gateway": None}, ["gateway.tls.certPath"]),
    (irc("own", server=None), ["channels.irc.accounts.own.server"]),
    (channel("irc", server=None), ["channels.irc.server"]),
    # Fields that become references, at any place, known or not.
    (gateway(auth={"token": EXEC}), ["gateway.auth.token"]),
    (gateway(auth={"password": FILE}), ["gateway.auth.password"]),
    (irc("plain", password=ENV), ["channels.irc.accounts.plain.password"]),
    (
        irc("plain", sasl={"user": "u", "password": EXEC}),
        ["channels.irc.accounts.plain.sasl.password"],
    ),
    (irc("ref", sasl={"password": {"id": "other"}}), ["channels.irc.accounts.ref.sasl.password"]),
    (irc("ref", sasl={"password": {"source": "env"}}), ["channels.irc.accounts.ref.sasl.password"]),
    (irc("plain", nick={**EXEC, "more": 1}), ["channels.irc.accounts.plain.nick"]),
    ({"logging": {"level": [EXEC]}}, ["logging.level[0]"]),
    (channel("other", options={"deep": [EXEC]}), ["channels.other.options.deep[0]"]),
    # What no field of ours is, by its name.
    ({"agents": {"command": ["id"]}}, ["agents.command"]),
    # Accounts: another server, another way to it, another process.
    (irc("plain", server="evil.example"), ["channels.irc.accounts.plain.server"]),
    (irc("plain", tlsVerify=False), ["channels.irc.accounts.plain.tlsVerify"]),
    (
        irc("plain", tls=False, port=1),
        ["channels.irc.accounts.plain.port", "channels.irc.accounts.plain.tls"],
    ),
    (irc("plain", launcher="exec"), ["channels.irc.accounts.plain.launcher"]),
    (
        irc("plain", nickserv={"password": "p", "service": "evil"}),
        ["channels.irc.accounts.plain.nickserv.service"],
    ),
    # What all accounts inherit, for some of them.
    (channel("irc", server="evil.example"), ["channels.irc.server"]),
    (channel("irc", launcher="exec"), ["channels.irc.launcher"]),
    (
        channel("irc", server="evil.example", accounts={"new": {"nick": "n"}}),
        ["channels.irc.server"],
    ),
    (
        channel("irc", server="evil.example", accounts={"plain": {"nick": "other"}}),
        ["channels.irc.server"],
    ),
    # A new account with a local field, and an old one under another name.
    (irc("new", nick="n", server="evil.example"), ["channels.irc.accounts.new.server"]),
    (
        {
            "channels": {
                "irc": {
                    "accounts": {"own": None, "renamed": {"nick": "own", "server": "other.example"}}
                }
            }
        },
        ["channels.irc.accounts.renamed.server"],
    ),
    # A name with a dot, whose account would stand at the same place if paths were texts.
    (
        {
            "channels": {
                "irc": {"accounts": {"ref": None, "ref.sasl": {"nick": "n", "password": EXEC}}}
            }
        },
        ["channels.irc.accounts.ref.sasl.password"],
    ),
    # A channel that is new, or whose manifest is missing, so that nothing is known of its fields.
    (channel("local2", accounts={"a": {"greeting": "x"}}), ["channels.local2.accounts.a.greeting"]),
    ({"channels": {"gone": {"accounts": {"x": {"word": "v"}}}}}, ["channels.gone.accounts.x.word"]),
    (
        {"channels": {"gone": {"accounts": {"x": {"word": None}}}}},
        ["channels.gone.accounts.x.word"],
    ),
    # A secret that stays, and comes to be sent to a server that never had it.
    (irc("own", password=None), ["channels.irc.accounts.own.password"]),
    (irc("quiet", channels=None), ["channels.irc.accounts.quiet.channels"]),
    # Channels of other people: marked, and by name; inside lists and free objects.
    (channel("other", baseUrl="https://evil"), ["channels.other.baseUrl"]),
    (channel("other", words="x"), ["channels.other.words"]),
    (
        channel("other", nodes=[{"exitWord": "x"}]),
        ["channels.other.nodes[0].exitWord", "channels.other.nodes[0].relay"],
    ),
    (channel("other", options={"proxy": "x"}), ["channels.other.options.proxy"]),
    # Python's 1 is true, and a wrong type is no way round.
    (irc("plain", tls=1), ["channels.irc.accounts.plain.tls"]),
]

ALLOWED: list[dict[str, Any]] = [
    {},
    gateway(tickIntervalMs=1000, http={"enabled": False}, allowedOrigins=["https://a"]),
    gateway(auth={"token": "another", "mode": "password"}),
    {"agents": {"default": "none"}, "logging": {"level": "debug"}},
    # As it was, and what says in words what was so already.
    BEFORE,
    gateway(port=18789, command=None, attach="never", tls={"enabled": False}),
    irc("plain", server="irc.example", tls=True, launcher="zygote", port=None),
    irc("ref", sasl={"password": EXEC}),
    # Accounts: fields that are not local, secrets of one's own, new ones that inherit the rest.
    irc("plain", nick="other", channels=["#b"], enabled=False, restart={"slowAfter": 3}),
    irc("plain", password="mine", nickserv={"password": "mine"}),
    irc("own", password="new"),
    irc("ref", sasl={"password": "a literal instead"}),
    irc("new", nick="n"),
    irc("new", nick="n", password="mine", server="irc.example"),
    channel("local", accounts={"new": {"greeting": "hi"}}, greeting="hello"),
    channel("other", motto="x", token="mine", nodes=[]),
    # As a whole: nothing of it runs any more.
    irc("own", nick=None) | {"agents": {"default": "none"}},
    {"channels": {"irc": {"accounts": {"own": None, "ref": None}}}},
    {"channels": {"irc": None, "gone": None}},
    {"channels": None},
    # The own value of an account that is and has what the channel has.
    irc("plain", channels=["#c"]),
]  # fmt: skip


def after(patch: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = merged(BEFORE, patch)
    return result


@pytest.mark.parametrize(("patch", "fields"), REFUSED)
def test_what_only_the_host_may_change_is_named(patch: dict[str, Any], fields: list[str]) -> None:
    found = local_changes(BEFORE, after(patch), KNOWN)
    assert sorted(found) == sorted(fields)


@pytest.mark.parametrize("patch", ALLOWED)
def test_everything_else_may_be_changed_from_elsewhere(patch: dict[str, Any]) -> None:
    assert local_changes(BEFORE, after(patch), KNOWN) == []


def test_the_order_of_keys_is_no_change() -> None:
    """A client may send an object back as it likes to sort it."""
    before = {"gateway": {"auth": {"token": EXEC}}}
    after = {"gateway": {"auth": {"token": dict(reversed(EXEC.items()))}}}
    assert local_changes(before, after, KNOWN) == []


def test_an_account_that_inherits_everything_may_use_what_it_had_covered() -> None:
    before = after(irc("plain", channels=["#c"]))
    assert local_changes(before, BEFORE, KNOWN) == []


def test_a_reference_of_the_channel_is_a_secret_that_an_account_has_covered() -> None:
    before = after(channel("irc", password=EXEC))
    found = local_changes(before, merged(before, irc("own", password=None)), KNOWN)
    assert found == ["channels.irc.accounts.own.password"]


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        (["a", "b"], False),
        (["a", "c"], True),
        (["b", "a"], True),
        (["a"], True),
        (["a", "b", "c"], True),
        (["a", ["b"]], True),
        (None, True),
    ],
)
def test_a_list_is_the_same_if_each_of_its_items_is(command: Any, changed: bool) -> None:
    before, now = gateway(command=["a", "b"]), gateway(command=command)
    assert local_changes(before, now, KNOWN) == (["gateway.command"] if changed else [])


def test_a_channel_with_one_account_of_its_own_is_judged_as_one_with_many() -> None:
    before: dict[str, Any] = {
        "channels": {"irc": {"server": "irc.example", "nick": "n", "password": "p"}}
    }
    same: dict[str, Any] = {
        "channels": {"irc": before["channels"]["irc"] | {"accounts": {"default": {}, "b": {}}}}
    }
    moved = merged(same, irc("default", server="evil.example"))
    assert local_changes(before, same, KNOWN) == []
    assert local_changes(before, moved, KNOWN) == ["channels.irc.accounts.default.server"]


def test_what_was_removed_as_a_whole_does_not_come_back_from_elsewhere() -> None:
    without = after({"channels": {"irc": None}})
    found = local_changes(without, BEFORE, KNOWN)
    assert "channels.irc.server" in found
    assert "channels.irc.accounts.own.server" in found
    assert "channels.irc.accounts.ref.sasl.password" in found


def test_a_whole_new_file_is_judged_by_its_defaults() -> None:
    assert local_changes({}, {"channels": {"local": {"accounts": {"a": {}}}}}, KNOWN) == []
    assert local_changes({}, {"channels": {"irc": {"server": "s"}}}, KNOWN) == [
        "channels.irc.server"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{gateway: {'com\\u006dand': [\"id\"]}}",
        '{gateway: {/* */ "command" /* */ : [\n"id"]}}',
        'gateway.command = ["id"]',
        '[gateway]\n"command" = ["id"]',
        'gateway = {command = ["id"]}',
    ],
)
def test_it_is_the_value_that_counts_however_it_is_written(text: str) -> None:
    name = "c.json5" if text.startswith("{") else "c.toml"
    assert local_changes({}, parse(Path(name), text)[0], KNOWN) == ["gateway.command"]


@pytest.mark.parametrize("text", ["{$include: '/etc/passwd'}", "{channels: {$include: 'x'}}"])
def test_there_are_no_includes_that_could_bring_something_in(text: str) -> None:
    """Nothing is read for it, and the check of the whole file refuses the name."""
    values, _ = parse(Path("c.json5"), text)
    assert "passwd" not in str(local_changes({}, values, KNOWN))


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": []},
        {"channels": {"irc": "x"}},
        {"channels": {"irc": {"accounts": []}}},
        {"channels": {"irc": {"accounts": {"a": 1}}}},
        {"gateway": "x"},
        {"gateway": {"tls": 1, "nodes": []}},
        {"channels": {"other": {"nodes": {"a": 1}, "options": 3}}},
    ],
)
def test_what_is_wrong_anyway_ends_nothing(wrong: dict[str, Any]) -> None:
    local_changes(wrong, BEFORE, KNOWN)
    local_changes(BEFORE, wrong, KNOWN)


def test_thousands_of_accounts_are_compared_before_a_request_has_waited_long() -> None:
    """A minute is what a write may take; unchanged accounts are not looked into."""
    many = {f"a{number}": {"nick": "n", "server": f"s{number}"} for number in range(5000)}
    before = {"channels": {"irc": {"password": "p", "accounts": many}}}
    began = time.perf_counter()
    assert local_changes(before, merged(before, {"agents": {"default": "none"}}), KNOWN) == []
    assert local_changes(before, merged(before, channel("irc", quitMessage="x")), KNOWN) == []
    assert time.perf_counter() - began < 30


AGENT = {"kind": "think", "baseUrl": "http://m", "apiKey": "t0p", "motto": "m"}


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        ({"a": AGENT | {"motto": "n", "apiKey": "other", "timeoutSeconds": 5}}, []),
        ({"a": AGENT | {"baseUrl": "http://evil"}}, ["a.baseUrl"]),
        ({"a": AGENT | {"command": ["id"]}}, ["a.command"]),
        ({"a": AGENT | {"launcher": "exec"}}, ["a.launcher"]),
        ({"a": AGENT | {"limits": {"niceness": 5}}}, []),
        ({"a": AGENT | {"apiKey": EXEC}}, ["a.apiKey"]),
        ({"a": AGENT, "b": {"kind": "echo"}}, []),
        ({"a": AGENT, "b": {"kind": "think", "motto": "x"}}, []),
        ({"a": AGENT, "b": {"kind": "think", "baseUrl": "http://x"}}, ["b.baseUrl"]),
        ({"a": AGENT, "b": {"kind": "rot", "anything": 1}}, ["b.anything"]),
        ({"a": {"kind": "echo", "apiKey": "t0p"}}, ["a.baseUrl", "a.command", "a.apiKey"]),
        ({"a": {"kind": "echo"}}, ["a.baseUrl", "a.command"]),
        (
            {"a": {"kind": "echo", "apiKey": "t0p", "motto": "m"}},
            ["a.baseUrl", "a.command", "a.apiKey"],
        ),
        ({}, []),
    ],
)
def test_of_an_agent_only_what_its_kind_marks_is_local(after: Any, fields: list[str]) -> None:
    before = {"agents": {"default": "a", "entries": {"a": AGENT}}}
    found = local_changes(before, {"agents": {"entries": after}}, AGENTS)
    assert found == [f"agents.entries.{field}" for field in fields]


def test_changes_of_agents_are_found_beside_all_others() -> None:
    other = {"kind": "think", "baseUrl": "http://n"}
    agents = {"a": AGENT | {"baseUrl": "http://evil"}, "b": other, "c": AGENT}
    before = {"agents": {"entries": {"a": AGENT, "b": other, "c": AGENT}}}
    found = local_changes(before, gateway(port=1) | {"agents": {"entries": agents}}, AGENTS)
    assert found == ["gateway.port", "agents.entries.a.baseUrl"]
