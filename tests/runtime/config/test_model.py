"""What holds for every section of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.check import is_struct, members
from runtime.config.fields import Section
from runtime.config.model import Config


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
