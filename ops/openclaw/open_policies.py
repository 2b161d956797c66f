"""Narrows ``dmPolicy: "open"`` to the people whom OpenClaw admits under it. Pure.

OpenClaw's ``open`` admits everybody only if ``allowFrom`` has ``"*"``; otherwise only the people in
the list, and nobody without a list (it warns of that, or refuses the file). Trunkline's ``open``
admits everybody whatever the list is, so such an account gets the policy of an allowlist. An
account inherits either field from its channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ops.openclaw.draft import Draft, Target
from ops.openclaw.variables import fill
from runtime.config.access_policy import EVERYONE
from runtime.config.check import join

POLICY, LIST = "dmPolicy", "allowFrom"
CLOSED = 'CLOSED: without "*" in allowFrom OpenClaw\'s "open" admits those in the list alone'
OPENED = 'is the channel\'s, whose own allowFrom has no "*"'


def narrow_open(draft: Draft, path: str, base: Target, accounts: Iterable[str]) -> None:
    """Write the policy of a channel and its accounts wherever ``open`` does not admit everybody."""
    outer_open = _is_open(draft, draft.value((*base, POLICY)))
    outer_list = draft.value((*base, LIST))
    narrowed = outer_open and not _has_everyone(outer_list)
    for account in accounts:
        target = (*base, "accounts", account)
        inside = join(join(path, "accounts"), account)
        own, listed = draft.value((*target, POLICY)), draft.value((*target, LIST))
        is_open = outer_open if own is None else _is_open(draft, own)
        everyone = _has_everyone(outer_list if listed is None else listed)
        if is_open and not everyone and not (own is None and narrowed):
            _write(draft, inside, target, "allowlist", CLOSED)
        elif own is None and narrowed and everyone:
            _write(draft, inside, target, "open", OPENED)
    if narrowed:
        _write(draft, path, base, "allowlist", CLOSED)


def _write(draft: Draft, path: str, owner: Target, value: str, reason: str) -> None:
    """Replace a policy that was taken over, or add one."""
    target = (*owner, POLICY)
    earlier = next((note for note in draft.notes if note.target == target), None)
    if earlier is not None:
        draft.notes.remove(earlier)
    draft.change(
        earlier.path if earlier else f"{join(path, POLICY)} (not set)", target, value, reason
    )


def _is_open(draft: Draft, value: Any) -> bool:
    return bool(fill(value, draft.variables).value == "open")


def _has_everyone(listed: Any) -> bool:
    entries = listed if isinstance(listed, list) else listed.values() if _is_map(listed) else ()
    return any(str(each).strip() == EVERYONE for each in entries)


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
