"""What may be read for a message."""

from __future__ import annotations

from contextlib import nullcontext

import msgspec
import pytest

from runtime.config.storage_model import MediaConfig


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
