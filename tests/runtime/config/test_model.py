"""The rules of the file's fields that see more than one field, and those that hold for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.check import is_struct, members
from runtime.config.fields import Section
from runtime.config.model import (
    AccountLimitsConfig,
    Config,
    GatewayConfig,
    MediaConfig,
    RestartConfig,
    SupervisorConfig,
    TelemetryConfig,
)
from runtime.config.places import DEFAULT_PORT


def sections(struct: Any) -> Iterator[Any]:
    """Yield a section of the file and those inside it."""
    yield struct
    for field in msgspec.structs.fields(struct):
        for member in members(field.type):
            if is_struct(member) and issubclass(member, Section):
                yield from sections(member)


EVERY = {each for root in (Config, ChannelConfig, AccountConfig) for each in sections(root)}


@pytest.mark.parametrize("section", sorted(EVERY, key=str))
def test_every_section_has_defaults_and_refuses_what_it_does_not_know(section: Any) -> None:
    assert msgspec.convert({}, section) == section()
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"unknown_field": 1}, section)


@pytest.mark.parametrize(
    ("section", "fields", "words"),
    [
        (RestartConfig, {"initialSeconds": 400}, "maximumSeconds .300. must not be less"),
        (AccountLimitsConfig, {"memoryHardBytes": 17 << 20}, "must not be less than memorySoft"),
        (SupervisorConfig, {"beatSeconds": 20}, "beatSeconds .20. < suspectAfterSeconds .15."),
        (SupervisorConfig, {"suspectAfterSeconds": 31}, "<= silentAfterSeconds .30. must hold"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    section: Any, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, section)


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        (RestartConfig, {"initialSeconds": 300}),
        (AccountLimitsConfig, {"memorySoftBytes": None, "memoryHardBytes": 17 << 20}),
        (SupervisorConfig, {"suspectAfterSeconds": 30}),
    ],
)
def test_the_limit_itself_is_allowed(section: Any, fields: dict[str, Any]) -> None:
    assert isinstance(msgspec.convert(fields, section), section)


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        ("/srv/out", True),
        ("//srv/out", True),
        ("https://files.lan:8443/a/", True),
        ("http://10.0.0.1", True),
        ("/", False),
        ("//", False),
        ("srv/out", False),
        ("~/out", False),
        ("file:///srv/out", False),
        ("https://user:pw@files.lan/", False),
        ("https://", False),
        ("*", False),
    ],
)
def test_what_may_be_read_for_a_message_is_a_directory_or_an_address(
    entry: str, right: bool
) -> None:
    with nullcontext() if right else pytest.raises(msgspec.ValidationError):
        msgspec.convert({"allow": [entry]}, MediaConfig)


def test_a_gateway_with_a_command_or_a_url_is_foreign() -> None:
    assert not GatewayConfig().foreign
    assert GatewayConfig(command=["openclaw"]).foreign
    assert GatewayConfig(url="ws://x").foreign
    assert GatewayConfig().port == DEFAULT_PORT


@pytest.mark.parametrize(
    "endpoint", ["https://[::1", "http://127.0.0.1:99999", "http://host:1?key=x", "http://a..b"]
)
def test_an_endpoint_that_no_exporter_can_reach_is_refused(endpoint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="endpoint must"):
        msgspec.convert({"endpoint": endpoint}, TelemetryConfig)


def test_an_endpoint_may_have_a_path() -> None:
    at = "https://[::1]:4318/otlp/v1/traces"
    assert msgspec.convert({"endpoint": at}, TelemetryConfig).endpoint == at
