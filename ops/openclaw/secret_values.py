"""Translates secrets of OpenClaw: references stay references, plain text stays text. Pure.

OpenClaw names a secret by a source, a provider and an id; ours by a source and an id. Its store, a
pointer into a JSON file and the protocol of its ``exec`` providers have no counterpart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from ops.openclaw.draft import Draft, FieldPlace, Target
from ops.openclaw.variables import fill, variable_alone

REDACTED = ("__OPENCLAW_REDACTED__", "***", "[redacted]")
STORED = "is in OpenClaw's own store: write it to a file and refer to that"
POINTED = "is one value inside a JSON file: write it to a file of its own and refer to that"
ASKED = "comes from a program that speaks OpenClaw's protocol: refer to a command that prints it"


@hide_fields("value")
class _KeptSecret(msgspec.Struct, frozen=True):
    """The secret for our file; without a reason it is that of the original."""

    value: Any
    reason: str = ""


class _Lost(Exception):
    """A secret that cannot be carried over, and why."""


def copy_secret(draft: Draft, place: FieldPlace, target: Target, value: Any) -> None:
    """Copy a secret, or a reference to it, into our file."""
    try:
        kept = _kept(draft, value)
    except _Lost as lost:
        draft.omit(place.path, str(lost))
        return
    if kept.reason:
        draft.change(place.path, target, kept.value, kept.reason)
    else:  # a text: nothing is filled in it any more
        draft.change(place.path, target, kept.value, "")
        draft.notes[-1] = msgspec.structs.replace(draft.notes[-1], group="taken")


def copy_secret_file(draft: Draft, place: FieldPlace, target: Target, value: Any) -> None:
    """Copy a reference to a file that contains only a secret into our file."""
    found = fill(value, draft.variables)
    if not isinstance(found.value, str) or found.missing or not found.value.startswith(("/", "~/")):
        draft.omit(place.path, "is not an absolute path")
    elif draft.has(target):
        draft.omit(place.path, f"stands beside {target[-1]}, which counts first")
    else:
        reference = {"source": "file", "id": found.value}
        draft.change(place.path, target, reference, "a reference to the same file")


def _kept(draft: Draft, value: Any) -> _KeptSecret:
    if isinstance(value, Mapping):
        return _referred(draft, value)
    if not isinstance(value, str) or not value:
        raise _Lost("is not a secret: neither a text nor a reference")
    if value in REDACTED:
        raise _Lost("was hidden before it was written: put the secret in by hand")
    name = variable_alone(value)
    if name is not None:
        return _variable(draft, name, "a reference to the same variable")
    found = fill(value, draft.variables)
    if found.missing:
        raise _Lost(
            f"the variable {', '.join(found.missing)} is not set: set it and run the import again"
        )
    draft.used_variables.update(found.inline)
    return _KeptSecret(
        found.value, f"with the value of {', '.join(found.used)}" if found.used else ""
    )


def _variable(draft: Draft, name: str, reason: str) -> _KeptSecret:
    if draft.variables.is_inline(name):
        draft.used_variables.add(name)
        return _KeptSecret(
            draft.variables.inline[name], f"the value of {name}, which stands in env.vars"
        )
    if not draft.variables.environ.get(name) and draft.variables.dotenv.get(name):
        reason += "; it stands in OpenClaw's .env: give it to Trunkline's daemon too"
    return _KeptSecret({"source": "env", "id": name}, reason)


def _referred(draft: Draft, value: Mapping[str, Any]) -> _KeptSecret:
    source, named = value.get("source"), value.get("id")
    alias = value.get("provider", "default")
    if not isinstance(named, str) or not named:
        raise _Lost("is not a reference: its id is missing")
    if source == "env":
        return _variable(draft, named, "the same variable")
    if source == "store":
        raise _Lost(STORED)
    provider = draft.secret_providers.get(alias) if isinstance(alias, str) else None
    if source == "exec":
        raise _Lost(ASKED)
    if source != "file" or not isinstance(provider, Mapping):
        raise _Lost(f"names the provider {alias!r} of {source!r}, which secrets.providers lacks")
    path = provider.get("path")
    if provider.get("mode") != "singleValue" or not isinstance(path, str):
        raise _Lost(POINTED)
    draft.used_providers.add(str(alias))
    return _KeptSecret({"source": "file", "id": path}, "the same file")
