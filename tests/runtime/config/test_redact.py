"""A configuration can be shown without its secrets."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from ipc.secret_patterns import without_secrets
from runtime.config.redact import REDACTED, hidden, redacted
from tests.runtime.config.example import Fields, known
from workers.plugin import Manifest
from workers.registry import InstalledChannel, Manifests

R = REDACTED
VALUES: dict[str, Any] = {
    "gateway": {"port": 1, "auth": {"mode": "token", "token": "t1", "password": "t2"}},
    "channels": {
        "talk": {
            "server": "s",
            "password": "t3",
            "accounts": {
                "a": {
                    "name": "Al",
                    "password": {"source": "env", "id": "P"},
                    "signin": {"user": "u", "password": "t4"},
                    "rooms": ["#x"],
                    "restart": {"jitter": 0},
                },
                "b": {"botToken": "t5", "server": "https://u:t6@host/x"},
                "c": "t7 in a wrong place",
            },
        },
        "odd": {"enabled": True, "anything": ["t8"], "accounts": {"x": {"y": {"z": "t9"}, "n": 5}}},
        "bad": "t10",
    },
}


def talking(*names: str) -> Manifests:
    """Return what is installed, with a channel that also has the fields ``names``."""
    found = known()
    there = {each.encode_name for each in msgspec.structs.fields(Fields)}
    renamed = {f"field_{number}": name for number, name in enumerate(set(names) - there)}
    more = [(each, Any, None) for each in renamed]
    config = msgspec.defstruct("More", more, bases=(Fields,), rename=renamed, kw_only=True)
    manifest = dataclasses.replace(found["talk"].manifest, config=config)
    found["talk"] = InstalledChannel(manifest, "tests.talk:manifest", "tests")
    return found


def test_every_secret_is_hidden_and_everything_else_is_shown() -> None:
    assert redacted(VALUES, known(odd="not there")) == {
        "gateway": {"port": 1, "auth": {"mode": "token", "token": REDACTED, "password": REDACTED}},
        "channels": {
            "talk": {
                "server": "s",
                "password": REDACTED,
                "accounts": {
                    "a": {
                        "name": "Al",
                        "password": {"source": "env", "id": "P"},
                        "signin": {"user": "u", "password": REDACTED},
                        "rooms": ["#x"],
                        "restart": {"jitter": 0},
                    },
                    "b": {"botToken": REDACTED, "server": f"https://{REDACTED}@host/x"},
                    "c": "t7 in a wrong place",
                },
            },
            "odd": {
                "enabled": True,
                "anything": [REDACTED],
                "accounts": {"x": {"y": {"z": REDACTED}, "n": 5}},
            },
            "bad": REDACTED,
        },
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rooms": ["#a", "#a a", "#b  k e y "]}, ["#a", f"#a {R}", f"#b {R}"]),
        ({"rooms": "#a orca"}, f"#a {R}"),  # of a wrong type, and shown all the same
        ({"rooms": {"#a": "orca"}}, {"#a": R}),
        ({"rooms": [["#a orca"], 5]}, [[f"#a {R}"], R]),
        ({"password": 12345678}, R),
        ({"password": {"source": "text", "id": "orca"}}, {"source": R, "id": R}),
        ({"password": {"source": [], "id": "orca"}}, {"source": [], "id": R}),
        *(
            ({"password": {"source": where, "id": "orca"}}, {"source": where, "id": "orca"})
            for where in ("env", "file", "exec", "credential")
        ),
        ({"password": {"source": "exec", "id": 5}}, {"source": "exec", "id": 5}),
        ({"password": True}, True),
        ({"password": None}, None),
        ({"password": ""}, ""),
        ({"tokens": ["orca", ""]}, [R, ""]),
        ({"pin": 1234}, R),
        ({"botToken": -1.5}, R),
        ({"maxTokens": 4096}, 4096),
        (
            {"x": {"Authorization": "Basic orca", "cookie": "orca"}},
            {"Authorization": R, "cookie": R},
        ),
        ({"url": "https://orca@host/x"}, f"https://{R}@host/x"),
        ({"url": "wss://h?a=1&access_token=orca&b=2"}, f"wss://h?a=1&access_token={R}&b=2"),
        ({"url": "https://h/x?api_key=orca#y@z"}, f"https://h/x?api_key={R}#y@z"),
        ({"url": "https://h/x@y?monkeys"}, "https://h/x@y?monkeys"),
        ({"command": ["run", "--token", "orca", "-v"]}, ["run", "--token", R, "-v"]),
        ({"command": ["run", "--pass", "orca", "-v"]}, ["run", "--pass", R, "-v"]),
        ({"command": ["run", "--db-pass=orca"]}, ["run", f"--db-pass={R}"]),
        ({"command": ["run", "--passphrase", "orca"]}, ["run", "--passphrase", R]),
        ({"command": ["run", "--passive", "x"]}, ["run", "--passive", "x"]),
        ({"command": ["env", "SSHPASS=orca", "ssh"]}, ["env", f"SSHPASS={R}", "ssh"]),
        ({"serverPass": "orca"}, R),
        ({"pass": 1234}, R),
        ({"url": "https://h/x?pass=orca"}, f"https://h/x?pass={R}"),
        ({"command": ["run", "--api-key=orca", "a=b"]}, ["run", f"--api-key={R}", "a=b"]),
        (
            {"command": ["env", "API_KEY=orca", "sh", "-c", "x --token orca; y"]},
            ["env", f"API_KEY={R}", "sh", "-c", f"x --token {R}; y"],
        ),
        (
            {"password": {"source": "exec", "id": "vault --token=orca read x"}},
            {"source": "exec", "id": f"vault --token={R} read x"},
        ),
        (
            {"password": {"source": "file", "id": "/a --token=b"}},
            {"source": "file", "id": "/a --token=b"},
        ),
        ({"command": ["run", "--token", "--x", "--keys="]}, ["run", "--token", "--x", "--keys="]),
        ({"command": "run --token orca -v"}, f"run --token {R} -v"),
        ({"repairCommand": ["run", "-H", "X-Key: orca"]}, ["run", "-H", f"X-Key: {R}"]),
        ({"args": ["--pin", 1234]}, ["--pin", R]),
        ({"args": ["x", "AUTH", "orca"]}, ["x", "AUTH", R]),
        ({"words": ["x", "AUTH", "orca"]}, ["x", "AUTH", "orca"]),
        ({"places": {"AUTH": "north"}}, {"AUTH": "north"}),
        (
            {"env": {"ON": True, "A_KEY": ["x"], "SIGNING_KEY": "orca"}},
            {"ON": True, "A_KEY": ["x"], "SIGNING_KEY": R},
        ),
        ({"description": "the key: orca"}, "the key: orca"),
        ({"env": {"SIGNING_KEY": "orca", "PIN": 12}}, {"SIGNING_KEY": R, "PIN": R}),
        ({"env": {"GH_PAT": "orca", "MYSQL_PWD": "orca"}}, {"GH_PAT": R, "MYSQL_PWD": R}),
        ({"env": {"LANG": "C", "EMPTY_KEY": ""}}, {"LANG": "C", "EMPTY_KEY": ""}),
        ({"env": {"OPTS": "--token orca", "N": 5}}, {"OPTS": f"--token {R}", "N": 5}),
        ({"env": {"URL": "pg://u:p@h/x"}}, {"URL": f"pg://{R}@h/x"}),
        ({"note": "ghp_0123456789abcdefghijABCDEF"}, R),
        ({"url": "https://u:p@ss@host/x"}, f"https://{R}@host/x"),
        ({"proxy": "http://u:orca@host:1"}, f"http://{R}@host:1"),
        ({"command": ["run", "--token=or ca"]}, ["run", f"--token={R}"]),
        ({"command": ["run", "--token", ""]}, ["run", "--token", ""]),
        ({"command": [5, "x", None]}, [5, "x", None]),
    ],
)
def test_a_secret_is_hidden_in_any_shape(fields: dict[str, Any], expected: Any) -> None:
    [name] = fields
    for section in (fields, {"accounts": {"a": fields}}):
        shown = redacted({"channels": {"talk": section}}, talking(name))["channels"]["talk"]
        assert shown.get("accounts", {"a": shown})["a"][name] == expected


def test_the_original_is_not_changed() -> None:
    redacted(VALUES, known())
    assert VALUES["gateway"]["auth"]["token"] == "t1"


@pytest.mark.parametrize(
    "values",
    [
        {"gateway": "x", "channels": 5, "agents": None, "hooks": 5},
        {"agents": {"default": "x"}},
        {"agents": {"default": "x", "entries": "y"}},
    ],
)
def test_a_configuration_of_wrong_types_can_be_shown(values: dict[str, Any]) -> None:
    assert redacted(values, known()) == values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hooks": {"token": {"a": "orca"}, "path": "p"}}, {"token": {"a": R}, "path": "p"}),
        ({"gateway": {"auth": {"token": {"a": "orca"}}}}, {"auth": {"token": {"a": R}}}),
        ({"gateway": {"auth": {"password": ["orca"]}}}, {"auth": {"password": [R]}}),
        (
            {"gateway": {"telemetry": {"endpoint": "e", "headers": {"X-Team": "orca"}}}},
            {"telemetry": {"endpoint": "e", "headers": {"X-Team": R}}},
        ),
        (
            {"hooks": {"token": {"source": "env", "id": "T"}}},
            {"token": {"source": "env", "id": "T"}},
        ),
    ],
)
def test_everything_inside_a_secret_of_the_gateway_is_one(
    values: dict[str, Any], expected: Any
) -> None:
    [name] = values
    assert redacted(values, known()) == {name: expected}


def test_a_manifest_names_secrets_whatever_their_names_are() -> None:
    config = msgspec.defstruct("Config", ["style", "a"])
    manifest = Manifest("plain", "Plain", config, "m:P", secrets=frozenset({"style", "a.b.c"}))
    found = Manifests()
    found["plain"] = InstalledChannel(manifest, "m:p", "p")
    section = {"style": "orca", "a": {"b": {"c": {"d": "orca"}, "e": "shown"}, "c": "shown"}}
    assert redacted({"channels": {"plain": section}}, found)["channels"]["plain"] == {
        "style": R,
        "a": {"b": {"c": {"d": R}, "e": "shown"}, "c": "shown"},
    }


@pytest.mark.parametrize(
    ("place", "fields", "expected"),
    [
        (("channels", "talk"), {"botTokn": "1:abc", "server": "s"}, {"botTokn": R, "server": "s"}),
        (("channels", "talk", "accounts", "a"), {"pasword": "orca"}, {"pasword": R}),
        (("channels", "talk", "accounts", "a"), {"x": {"y": ["z"]}}, {"x": {"y": [R]}}),
        (
            ("channels", "talk"),
            {"pasword": {"source": "env", "id": "P"}, "port": 1, "prot": 2, "tlss": True},
            {"pasword": {"source": "env", "id": "P"}, "port": 1, "prot": 2, "tlss": True},
        ),
        (
            ("agents", "entries", "t"),
            {"kind": "think", "motto": "m", "apikei": "orca", "restrat": {"a": "b"}},
            {"kind": "think", "motto": "m", "apikei": R, "restrat": {"a": R}},
        ),
        (("gateway", "auth"), {"mode": "token", "tokne": "orca"}, {"mode": "token", "tokne": R}),
        (("gateway",), {"auht": {"token": "orca"}}, {"auht": {"token": R}}),
        (("hooks",), {"path": "/h", "tokne": "orca"}, {"path": "/h", "tokne": R}),
    ],
)
def test_a_misspelt_secret_is_hidden(
    place: tuple[str, ...], fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    values: dict[str, Any] = fields
    for name in reversed(place):
        values = {name: values}
    shown: Any = redacted(values, known())
    for name in place:
        shown = shown[name]
    assert shown == expected


def test_what_is_hidden_is_found_with_its_path() -> None:
    found = list(hidden(VALUES, redacted(VALUES, known(odd="no"))))
    assert {secret for _, secret, _ in found} == {
        *("t1", "t2", "t3", "t4", "t5", "t8", "t9", "t10"),
        "https://u:t6@host/x",
    }
    assert (("gateway", "auth", "token"), "t1", REDACTED) in found
    assert (("channels", "odd", "anything", 0), "t8", REDACTED) in found


@pytest.mark.parametrize(
    "name",
    [
        *("token", "access_token", "pass", "password", "passphrase", "secret", "client.secret"),
        *("credential", "key", "api-key", "sig", "X-Amz-Signature"),
    ],
)
@pytest.mark.parametrize("before", ["?", "?a=1&", "?a=1;"])
def test_a_secret_in_an_address_is_found_in_fields_and_commands(name: str, before: str) -> None:
    start = f"https://h/x{before}{name}="
    hidden = redacted({"x": {"url": f"{start}orca"}}, Manifests())
    assert hidden == {"x": {"url": f"{start}{R}"}}
    assert without_secrets(f"curl '{start}orca&b=2'", "…") == f"curl '{start}…&b=2'"


def test_an_agent_s_secrets_are_those_of_its_kind() -> None:
    ref = {"source": "env", "id": "KEY"}
    entries = {
        "main": {"kind": "think", "name": "Al", "apiKey": "t1", "motto": "m", "restart": {}},
        "ref": {"kind": "think", "apiKey": ref, "baseUrl": "http://u:t2@host"},
        "rot": {"kind": "rot", "name": "Ro", "anything": "t3"},
        "none": {"kind": [], "motto": "t5"},
        "odd": "t4",
    }
    assert redacted({"agents": {"default": "main", "entries": entries}}, known())["agents"] == {
        "default": "main",
        "entries": {
            "main": entries["main"] | {"apiKey": REDACTED},  # type: ignore[operator]
            "ref": {"kind": "think", "apiKey": ref, "baseUrl": f"http://{REDACTED}@host"},
            "rot": {"kind": "rot", "name": "Ro", "anything": REDACTED},
            "none": {"kind": [], "motto": REDACTED},
            "odd": REDACTED,
        },
    }
