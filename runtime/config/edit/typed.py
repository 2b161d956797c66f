"""Converts fields typed as ``key=value`` to the types that the fields have. Pure.

It refuses nothing: what does not fit is kept as text, and the check of the whole file names
what would have been allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

import msgspec
import pyjson5

from runtime.config.account_model import AccountConfig
from runtime.config.check import is_list, is_struct, members, not_finite
from runtime.config.supervisor_model import RestartConfig
from workers.agent import AgentManifest
from workers.plugin import Manifest


def typed(
    manifest: Manifest | AgentManifest,
    fields: Mapping[str, str],
    ours: type[msgspec.Struct] = AccountConfig,
) -> dict[str, Any]:
    """Return the fields of an account or an agent with their values, nested where a name has dots.

    ``ours`` has the fields that every one has.

    ``{"sasl.user": "me"}`` becomes ``{"sasl": {"user": "me"}}``. A list is written with commas
    or as JSON5, an object (a secret's reference, for example) as JSON5.
    """
    types = _types(manifest.config) | _types(ours) | {"restart": RestartConfig}
    result: dict[str, Any] = {}
    for name, text in fields.items():
        *parents, last = name.split(".")
        place, known = result, types
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place, known = inner, _inside(known.get(parent))
        place[last] = _value(text, known.get(last, str), name in manifest.secrets)
    return result


def _types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {each.encode_name: each.type for each in msgspec.structs.fields(struct)}


def _inside(form: Any) -> dict[str, Any]:
    """Return the types of the fields of an object; an empty dict if ``form`` is not an object."""
    structs = [each for each in members(form) if is_struct(each)]
    return _types(structs[0]) if structs else {}


def _value(text: str, form: Any, secret: bool) -> Any:
    choices = members(form)
    lists = [each for each in choices if is_list(each)]
    if (text.startswith("{") and (secret or str not in choices)) or (
        text.startswith("[") and lists
    ):
        return _json5(text)
    if lists and str not in choices:
        item = get_args(lists[0])[0]
        return [_value(each.strip(), item, False) for each in text.split(",") if each.strip()]
    return _simple(text, form, choices)


def _json5(text: str) -> Any:
    try:
        value = pyjson5.decode(text)
    except pyjson5.Json5DecoderException:
        return text
    return text if any(not_finite(value)) else value  # a number that no file could hold


def _simple(text: str, form: Any, choices: Collection[Any]) -> Any:
    """Convert to the type; a number out of range stays a number, so that the check reports it."""
    for each in (form, *(choice for choice in choices if choice in (int, float))):
        try:
            value = msgspec.to_builtins(msgspec.convert(text, each, strict=False))
        except msgspec.ValidationError:
            continue
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value  # 5 looks better in a file than 5.0
    return text
