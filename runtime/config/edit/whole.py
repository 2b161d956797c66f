"""Shows the configuration without its secrets to a remote editor, and writes its changes.

Every write is a compare-and-swap: it names the revision it was made from, and is refused when
the file has changed since. Secrets are never shown, and kept where their marks come back.
All of it may take long for a large file, and belongs into a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from runtime.config.edit.checked import check, checker, write_checked
from runtime.config.edit.masking import masked, restored, restored_comments
from runtime.config.edit.unknown_names import check_names
from runtime.config.errors import ConfigError, Problem, config_error
from runtime.config.files import locked, read_text
from runtime.config.load import Loaded, Reader, revision_of
from runtime.config.text.merge_patch import merged, merged_text
from runtime.config.text.parse import parse
from workers.registry import Manifests

Check = Callable[[str], None]
Permit = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
Change = Callable[[str], str]


class Snapshot(msgspec.Struct, frozen=True):
    """The file without its secrets.

    ``raw`` is ``None`` for a text that cannot be parsed: what is secret in it is not known.
    """

    exists: bool
    raw: str | None = None
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    revision: str = ""
    problems: Sequence[Problem] = ()


def snapshot(path: Path, manifests: Manifests, read: Reader | None = None) -> Snapshot:
    """Return the file without its secrets, and its errors.

    ``read`` is as in ``Guard``.
    """
    if not path.exists():
        return Snapshot(exists=False)
    try:
        text = read_text(path)
    except ConfigError as error:
        return Snapshot(exists=True, problems=error.problems)
    revision = revision_of(text)
    try:
        raw, values = masked(path, text, manifests)
    except ConfigError as error:
        return Snapshot(exists=True, revision=revision, problems=error.problems)
    problems: Sequence[Problem] = ()
    try:
        (read or checker(path, manifests))(text)
    except ConfigError as error:
        problems = error.problems
    return Snapshot(True, raw, values, revision, problems)


@hide_fields("last")
class Guard(msgspec.Struct, frozen=True):
    """A check that may refuse a write before anything in the new text is evaluated.

    ``check`` gets the revision of the present text, ``permit`` the values of the present and
    of the new one; both raise to refuse. ``last`` are the values that stand for those of a
    present text that cannot be parsed. ``read`` then checks the new text with the flags and
    the environment that it will be used with; without it the text is checked by itself.
    """

    check: Check
    permit: Permit
    last: Mapping[str, Any] = msgspec.field(default_factory=dict)
    read: Reader | None = None


def set_text(path: Path, raw: str, guard: Guard, manifests: Manifests) -> Loaded:
    """Write ``raw`` with its marks replaced by the secrets and comments.

    Raises ``ConfigError`` when it is not valid, or cannot be written, and what ``guard`` raises.
    """
    return _write(path, guard, manifests, _whole(path, raw, manifests))


def check_text(path: Path, raw: str, guard: Guard, manifests: Manifests) -> Loaded:
    """Return the configuration that ``set_text`` would write; raises the same errors."""
    return _check(path, guard, manifests, _whole(path, raw, manifests))


def patch_text(path: Path, patch: Mapping[str, Any], guard: Guard, manifests: Manifests) -> Loaded:
    """Apply a merge patch to the present text and write it; all other text stays unchanged.

    Raises as ``set_text``, and when the present text is not valid.
    """
    return _write(path, guard, manifests, _patched(path, patch, manifests))


def check_patch(path: Path, patch: Mapping[str, Any], guard: Guard, manifests: Manifests) -> Loaded:
    """Return the configuration that ``patch_text`` would write; raises the same errors."""
    return _check(path, guard, manifests, _patched(path, patch, manifests))


def _whole(path: Path, raw: str, manifests: Manifests) -> Change:
    """Return the change of a text into ``raw``."""

    def change(text: str) -> str:
        try:
            old, _ = parse(path, text)
        except ConfigError:
            old, text = {}, ""  # broken by hand: this is how it gets repaired
        return _restored(path, restored_comments(path, raw, text), old, manifests)

    return change


def _patched(path: Path, patch: Mapping[str, Any], manifests: Manifests) -> Change:
    """Return the change of a text that a merge patch makes."""

    def change(text: str) -> str:
        try:
            old, _ = parse(path, text)
        except ConfigError:
            raise config_error(path, "invalid config; fix before patching") from None
        after = merged_text(path, text, patch)
        if parse(path, after)[0] != merged(old, patch):
            raise config_error(path, "is written in a way that cannot be patched; edit it by hand")
        return _restored(path, after, old, manifests)

    return change


def _restored(path: Path, text: str, old: Mapping[str, Any], manifests: Manifests) -> str:
    """Return the text with its secrets; a misspelt name is reported before the mark that it has."""
    try:
        return restored(path, text, old, manifests)
    except ConfigError:
        check_names(path, parse(path, text)[0], manifests)
        raise


def _write(path: Path, guard: Guard, manifests: Manifests, change: Change) -> Loaded:
    with locked(path):
        before, after, meant = _permitted(path, guard, change)
        return write_checked(path, before, after, meant, guard.read or checker(path, manifests))


def _check(path: Path, guard: Guard, manifests: Manifests, change: Change) -> Loaded:
    _, after, meant = _permitted(path, guard, change)
    return check(path, after, meant, guard.read or checker(path, manifests))


def _permitted(path: Path, guard: Guard, change: Change) -> tuple[str, str, dict[str, Any]]:
    """Return the present text, the new one and its values, after the check of ``guard``."""
    before = read_text(path)
    guard.check(revision_of(before))
    after = change(before)
    meant, _ = parse(path, after)
    guard.permit(_values(path, before, guard.last), meant)
    return before, after, meant


def _values(path: Path, text: str, last: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return parse(path, text)[0]
    except ConfigError:
        return last
