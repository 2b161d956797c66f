"""Defines the base of every part of the configuration file. Pure.

The parts themselves are in ``model``, ``account_model`` and the modules of one subject each. Each
field says in one sentence what it means, for the schema and docs/fields.md. So these modules do
not postpone their annotations: a start would compile every sentence once more (2 ms).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Millis = Annotated[int, Meta(ge=1, le=86_400_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]


class Section(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Base of every part of the file: an unknown field is an error, never ignored."""
