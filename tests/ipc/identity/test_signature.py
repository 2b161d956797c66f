"""What a device signs: against connects that a real gateway accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ipc.identity import signature
from ipc.identity.signature import V2, V3, Statement

RECORDED = json.loads(Path(__file__).parents[2].joinpath("golden/device_connects.json").read_text())


def statement(connect: dict[str, Any]) -> Statement:
    client, device = connect["client"], connect["device"]
    return Statement(
        device=device["id"],
        client=client["id"],
        mode=client["mode"],
        role=connect["role"],
        scopes=tuple(connect["scopes"]),
        signed_at=device["signedAt"],
        token=connect["auth"]["token"],
        nonce=device["nonce"],
        platform=client["platform"],
        family=client.get("deviceFamily", ""),
    )


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["from"])
def test_recorded_signatures_are_those_of_their_connects(recorded: dict[str, Any]) -> None:
    connect = recorded["connect"]
    device = connect["device"]
    key = signature.decode(device["publicKey"])
    assert key is not None
    assert signature.device_id(key) == device["id"]
    assert signature.verify(key, device["signature"], statement(connect))


@pytest.mark.parametrize(
    "change",
    [
        {"device": "0" * 64},
        {"client": "test"},
        {"mode": "test"},
        {"role": "node"},
        {"scopes": ("operator.admin",)},
        {"signed_at": 1},
        {"token": "other"},
        {"nonce": "other"},
    ],
    ids=lambda each: next(iter(each)),
)
@pytest.mark.parametrize("version", [V2, V3])
def test_every_part_of_the_statement_is_signed(change: dict[str, Any], version: int) -> None:
    private = signature.new_key()
    public = signature.public_key(private)
    said = statement(RECORDED[0]["connect"])
    signed = signature.sign(private, said.text(version))
    assert signature.verify(public, signed, said)
    assert not signature.verify(public, signed, replace(said, **change))


def test_version_3_alone_says_what_the_device_runs_on() -> None:
    private = signature.new_key()
    said = statement(RECORDED[0]["connect"])
    other = replace(said, platform="darwin")
    for version, holds in ((V2, True), (V3, False)):
        signed = signature.sign(private, said.text(version))
        assert signature.verify(signature.public_key(private), signed, other) is holds


def test_platform_and_family_are_trimmed_and_lowered_in_ascii_only() -> None:
    said = replace(statement(RECORDED[0]["connect"]), platform=" LinuX ", family="ÄBC")
    assert said.text().endswith("|linux|Äbc")


@pytest.mark.parametrize("text", ["", "???", "ä", "AAAA", "A" * 86, "A" * 4000])
def test_what_is_no_signature_signs_nothing(text: str) -> None:
    public = signature.public_key(signature.new_key())
    assert not signature.verify(public, text, statement(RECORDED[0]["connect"]))


def test_half_a_surrogate_is_a_wrong_statement_and_no_fault() -> None:
    private = signature.new_key()
    said = statement(RECORDED[0]["connect"])
    signed = signature.sign(private, said.text())
    broken = replace(said, nonce="\ud800")
    assert not signature.verify(signature.public_key(private), signed, broken)
