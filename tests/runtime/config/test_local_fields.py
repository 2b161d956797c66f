"""Which fields are local: every struct of the product is walked, and what is unmarked named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.channel_section import LAYERED
from runtime.config.check import is_struct, join, members
from runtime.config.local_fields import (
    account_values,
    dotted,
    local_paths,
    local_values,
    looks_local,
    mark_of,
    references,
)
from runtime.config.model import Config
from workers.plugin import LOCAL, REMOTE, Manifest, fields_of
from workers.registry import BUILT_IN, InstalledChannel, Manifests, load

# Fields whose name speaks of a path, an address or a command, and that are none. Each is marked
# REMOTE in its struct, and has its reason here.
REVIEWED = {
    "gateway.auth.trustedProxy.allowUsers": "names of people",
    "gateway.trustedProxies": "whose headers are believed; nothing is sent there",
    "gateway.allowedOrigins": "which web pages count as ours; nothing is sent there",
    "channels.*.allowFrom": "ids of people",
    "channels.*.groupAllowFrom": "ids of people",
    "channels.*.accounts.*.allowFrom": "ids of people",
    "channels.*.accounts.*.groupAllowFrom": "ids of people",
    "commands.ownerAllowFrom": "ids of people",
    "gateway.controlUi.basePath": "where the console stands below the gateway's own address",
    "gateway.tools.allow": "names of tools; every operator may do what they do",
    "hooks.path": "where hooks are on the gateway's own port",
    "gateway.publicUrl": "which Host and Origin count as ours; nothing is sent there",
}
WALKED: dict[str, Any] = {
    "": Config,
    "channels.*": ChannelConfig,
    "channels.*.accounts.*": AccountConfig,
    **{f"channels.*.{name}": struct for name, (_, struct) in LAYERED.items()},
    **{f"channels.{name}": load(name, ref).config for name, ref in BUILT_IN.items()},
}


def walked(struct: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every field of a struct and of those inside it, with its path."""
    for field in fields_of(struct):
        here = join(path, field.encode_name)
        yield here, field
        for each in members(field.type):
            if is_struct(each):
                yield from walked(each, here)


FIELDS = dict(field for path, struct in WALKED.items() for field in walked(struct, path))


def unmarked(fields: dict[str, Any]) -> list[str]:
    """Return the fields that look local and do not say whether they are."""
    return [
        path
        for path, field in fields.items()
        if looks_local(field.encode_name, field.type) and mark_of(field.type) is None
    ]


def test_every_path_address_and_command_of_the_product_says_whether_it_is_local() -> None:
    assert unmarked(FIELDS) == []


def test_what_looks_local_and_is_not_has_been_reviewed() -> None:
    assert {path for path, field in FIELDS.items() if mark_of(field.type) is False} == {*REVIEWED}


class Media(msgspec.Struct, rename="camel", frozen=True):
    allow: list[str] = []
    size: int = 1


class Added(msgspec.Struct, rename="camel"):
    api_root: str = "https://api.example"
    media: Media = Media()
    python: str | None = None
    marked_url: Annotated[str | None, REMOTE] = None
    marked_path: Annotated[str, LOCAL] | None = None


def test_a_new_field_without_a_mark_is_found() -> None:
    assert unmarked(dict(walked(Added, "x"))) == ["x.apiRoot", "x.media.allow", "x.python"]


@pytest.mark.parametrize(
    ("name", "form", "local"),
    [
        ("baseUrl", str, True),
        ("apiRoot", str | None, True),
        ("proxy", dict[str, str], True),
        ("proxies", Any, True),
        ("listenAddresses", list[str], True),
        ("webhooks", list[str], True),
        ("base_url", str, True),
        ("caFile", Annotated[str, Meta(min_length=1)], True),
        ("URL", str, True),
        ("dsn", str, True),
        ("databaseDsn", str, True),
        ("serverIp", str, True),
        ("dns", list[str], True),
        ("nameservers", list[str], True),
        ("upstream", str, True),
        ("gateway", str | None, True),
        ("brokers", list[str], True),
        ("env", dict[str, str], True),
        ("entrypoint", str, True),
        ("args", list[str], True),
        ("openFiles", int | None, False),
        ("files", Annotated[int, Meta(ge=1)], False),
        ("port", int, True),
        ("tlsVerify", bool, True),
        ("launcher", Literal["zygote", "exec"], True),
        ("allowLoopback", bool, False),
        ("transport", str, False),
        ("profile", str, False),
        ("description", str, False),
        ("chip", str, False),
        ("nick", str, False),
        ("greeting", str | None, False),
    ],
)
def test_a_name_without_a_mark_is_judged_by_its_words(name: str, form: Any, local: bool) -> None:
    assert looks_local(name, form) is local


@pytest.mark.parametrize(
    ("form", "mark"),
    [
        (Annotated[str, LOCAL], True),
        (Annotated[str | None, REMOTE], False),
        (Annotated[str, Meta(min_length=1), LOCAL] | None, True),
        (list[Annotated[str, LOCAL]], True),
        (dict[Annotated[str, REMOTE], Annotated[str, LOCAL]], True),
        (Annotated[str, Meta(min_length=1)], None),
        (Literal["local"], None),
        (str, None),
    ],
)
def test_a_mark_is_found_wherever_an_author_puts_it(form: Any, mark: bool | None) -> None:
    assert mark_of(form) is mark


class Peer(msgspec.Struct, rename="camel"):
    url: str = "none"
    weight: int = 1
    next: Peer | None = None


class Other(msgspec.Struct, rename="camel"):
    """What an author wrote who knows of no marks."""

    words: str
    peer: Peer | None = None
    peers: list[Peer] = []
    by_name: dict[str, Peer] = {}
    extra: dict[str, Any] = {}
    public_url: Annotated[str, REMOTE] = ""


def test_the_values_of_local_fields_are_found_wherever_they_are() -> None:
    value = {
        "words": "w",
        "peers": [{"url": "a"}],
        "byName": {"x": {"url": "b"}},
        "extra": {"deep": [{"command": "c"}]},
        "publicUrl": "d",
        "strange": {"proxy": "e"},
    }
    found = {dotted(path): each for path, each in local_values(value, Other)}
    assert found["peer.url"] == "none"  # as if it stood there
    assert found["peers[0].url"] == "a"
    assert found["byName.x.url"] == "b"
    assert found["extra.deep[0].command"] == "c"
    assert found["strange.proxy"] == "e"
    assert not {"publicUrl", "words", "peer.weight"} & set(found)


def test_an_account_counts_with_what_it_inherits() -> None:
    inherited = {"server": "s", "launcher": "exec", "limits": {"openFiles": 64}}
    irc = load("irc", BUILT_IN["irc"]).config
    values = account_values({"port": 7000}, inherited, irc)
    found = {dotted(path): each for path, each in values.items()}
    assert (found["server"], found["port"], found["launcher"]) == ("s", 7000, "exec")
    assert (found["tls"], found["nickserv.service"]) == (True, "NickServ")


def test_every_field_of_a_channel_without_manifest_is_local() -> None:
    assert account_values({"a": 1}, {"b": 2, "enabled": True}, None) == {
        ("a",): 1,
        ("b",): 2,
        ("launcher",): "zygote",
        ("python",): None,
        ("confine",): False,
        ("proxy",): None,
    }


def test_references_are_found_at_any_depth() -> None:
    reference = {"source": "exec", "id": "x"}
    value = {"a": {"b": [reference, {"source": "x"}]}, "id": "y"}
    assert dict(references(value)) == {("a", "b", 0): reference}
    assert dotted(("a", "b", 0, "c")) == "a.b[0].c"


def test_the_paths_of_other_peoples_channels_are_listed_too() -> None:
    known = Manifests()
    known["other"] = InstalledChannel(Manifest("other", "Other", Other, "m:O"), "m:o", "p")
    found = list(local_paths(known))
    assert {"gateway.command", "gateway.tls.certPath", "gateway.remoteExec"} < {*found}
    assert {"channels.other.launcher", "channels.other.accounts.*.launcher"} < {*found}
    assert {"channels.other.peer.url", "channels.other.accounts.*.peer.url"} < {*found}
    assert "channels.other.publicUrl" not in found
