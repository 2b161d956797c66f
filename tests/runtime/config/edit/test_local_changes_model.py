"""Random edits from elsewhere, judged by what the product makes of the files: no secret moves."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.config.edit.local_changes import local_changes
from runtime.config.errors import ConfigError
from runtime.config.load import load_text
from runtime.config.text.merge_patch import merged
from workers.registry import manifests

KNOWN = manifests()
SERVERS = ("one.example", "two.example")
PLAIN = "plain"  # the account that has only what it inherits
ROUNDS = 600


def section(chance: random.Random, secret: str) -> dict[str, Any]:
    """Return some fields of a channel or an account; ``secret`` begins its secrets."""
    fields: dict[str, Any] = {
        "server": chance.choice(SERVERS),
        "port": chance.choice([6667, 6697, None]),
        "tls": chance.choice([True, False]),
        "launcher": chance.choice(["zygote", "exec"]),
        "password": chance.choice([f"{secret}-1", {"source": "env", "id": f"{secret}_2"}, None]),
        "channels": [f"#a {secret}-3"],
        "nick": chance.choice(["a", "b"]),
        "restart": {"slowAfter": chance.randint(1, 9)},
    }
    login = {"password": chance.choice([f"{secret}-4", {"source": "file", "id": f"/{secret}"}])}
    service = {"service": chance.choice(["NickServ", "Other"])} if chance.random() < 0.5 else {}
    if chance.random() < 0.5:
        fields["sasl"] = {"user": "u", **login}
    else:
        fields["nickserv"] = {**login, **service}
    return {name: each for name, each in fields.items() if chance.random() < 0.5}


def channel(chance: random.Random, secret: str) -> dict[str, Any]:
    accounts = {f"a{n}": section(chance, f"{secret}a{n}") for n in range(chance.randint(0, 3))}
    found = section(chance, f"{secret}c")
    return found | {"accounts": accounts} if accounts or chance.random() < 0.5 else found


def hidden(value: Any) -> bool:
    """Return whether a value has a secret in it; a reference is shown."""
    text = json.dumps(value)
    return "HOST" in text and "source" not in text


def edit(chance: random.Random, before: dict[str, Any]) -> dict[str, Any]:
    """Return ``before`` after what somebody does who does not know its secrets."""
    after = copy.deepcopy(before)
    for _ in range(chance.randint(1, 3)):
        irc = after["channels"].setdefault("irc", {})
        accounts = irc.get("accounts", {})
        name = chance.choice([*accounts, "new"])
        place = chance.choice([irc, accounts.get(name, irc)])
        match chance.randrange(6):
            case 0 if place:
                del place[chance.choice([*place])]
            case 1:
                place |= section(chance, "mine")
            case 2:
                irc.setdefault("accounts", {})[name] = section(chance, "mine")
            case 3 if accounts:  # under another name, as far as it is seen
                shown = json.loads(json.dumps(accounts.pop(chance.choice([*accounts]))))
                accounts["new"] = {k: v for k, v in shown.items() if not hidden(v)}
            case 4:
                after["channels"].pop("irc")
            case _:
                after = merged(after, {"agents": {"default": "none"}})
    return after


def sent(values: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield for each account: whose it is, how and where it connects, and a secret it sends."""
    for key, spec in load_text(Path("c.json5"), json.dumps(values), KNOWN).accounts.items():
        had = spec.config
        nickserv = had.get("nickserv") or {}
        way = [had.get("server"), had.get("port"), had.get("tls", True)]
        way += [nickserv.get("service", "NickServ"), spec.launcher]
        for secret in (
            had.get("password"),
            (had.get("sasl") or {}).get("password"),
            nickserv.get("password"),
            *had.get("channels", []),
        ):
            if secret is not None:
                yield key, json.dumps(way), json.dumps(secret, sort_keys=True)


def with_plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with an account that only inherits, if the channel is there."""
    irc = values["channels"].get("irc")
    return merged(values, {"channels": {"irc": {"accounts": {PLAIN: {}}}}}) if irc else values


@pytest.mark.parametrize("seed", range(4))
def test_a_permitted_edit_sends_no_secret_of_the_host_where_it_was_not_sent(seed: int) -> None:
    chance = random.Random(seed)
    permitted = 0
    for _ in range(ROUNDS):
        before = {"channels": {"irc": channel(chance, "HOST")}}
        after = edit(chance, before)
        if local_changes(before, after, KNOWN):
            continue
        try:
            old, new = {*sent(with_plain(before)), *sent(before)}, {*sent(after)}
        except ConfigError:
            continue  # refused for what it is
        permitted += 1
        inherited = {pair[1:] for pair in old if pair[0] == f"irc:{PLAIN}"}
        for key, way, secret in new:
            if "mine" not in secret:
                assert (key, way, secret) in old or (way, secret) in inherited, (before, after)
            assert "mine" not in secret or "source" not in secret, (before, after)
    assert permitted > ROUNDS / 20  # or it has shown nothing
