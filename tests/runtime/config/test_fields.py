"""What every part of the configuration file is made of."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.fields import Count, Millis, Port, Seconds, Section, Text


class Part(Section, frozen=True):
    listening_port: Port = 1
    wait_seconds: Seconds = 1.0
    wait_ms: Millis = 1
    most: Count = 1
    title: Text = "a"


def test_names_are_camel_case_and_unknown_ones_are_refused() -> None:
    assert msgspec.convert({"listeningPort": 80}, Part) == Part(listening_port=80)
    for name in ("listening_port", "listeningport", ""):
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({name: 80}, Part)


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "beyond"),
    [
        ("listeningPort", 1, 65_535, (0, 65_536, 1.5)),
        ("waitSeconds", 0.001, 86_400, (0, -1, 86_401)),
        ("waitMs", 1, 86_400_000, (0, 86_400_001)),
        ("most", 1, 1_000_000_000, (0, 1_000_000_001)),
        ("title", "a", "a" * 4096, ("", "a" * 4097)),
    ],
)
def test_a_kind_of_field_has_bounds(
    name: str, lowest: object, highest: object, beyond: tuple[object, ...]
) -> None:
    for value in (lowest, highest):
        msgspec.convert({name: value}, Part)
    for value in beyond:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: value}, Part)
