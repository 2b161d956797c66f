"""Checks fields of an account that depend on each other, or on what its channel can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.config.check import join
from runtime.config.errors import Problem
from runtime.config.patterns import matcher_of
from workers.plugin import Manifest


def launcher_problems(fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that accounts with confinement or an own interpreter do not use ``fork``."""
    if fields.get("python") is not None:
        if fields.get("launcher") == "zygote":
            text = 'is "zygote"; allowed only "exec" beside python'
            return [Problem(join(path, "launcher"), text)]
        return []
    if fields.get("confine") is not True or fields.get("launcher") == "exec":
        return []
    return [Problem(join(path, "confine"), 'is true; allowed only beside launcher: "exec"')]


def ingress_problems(manifest: Manifest, fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that a channel accepts HTTP requests if they are configured."""
    if fields.get("ingress") is not True or "http" in manifest.can:
        return []
    text = (
        f"is true; allowed only for channels that take HTTP requests, which {manifest.id} does not"
    )
    return [Problem(join(path, "ingress"), text)]


def streaming_problems(manifest: Manifest, fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that a channel can edit messages if answers are to be streamed by edits."""
    if fields.get("streaming") != "edits" or "edit" in manifest.can:
        return []
    text = (
        'is "edits"; allowed only for channels that can edit their messages, which '
        f"{manifest.id} cannot"
    )
    return [Problem(join(path, "streaming"), text)]


def access_problems(
    manifest: Manifest, fields: Mapping[str, Any], path: str, *, journal: str
) -> list[Problem]:
    """Check that pairing has a journal to store people, and that groups are listed in one place.

    ``journal`` is whether the account has one, where those who are approved are kept.
    """
    found = []
    if fields.get("dmPolicy", manifest.dm_policy) == "pairing" and journal == "off":
        text = (
            "is pairing, and those who are approved are kept in the journal, which is off; "
            'allowed without it: "allowlist", "open" or "disabled"'
        )
        found.append(Problem(join(path, "dmPolicy"), text))
    for number, pattern in enumerate(fields.get("mentionPatterns") or ()):
        try:
            matcher_of([pattern] if isinstance(pattern, str) else [])
        except ValueError as error:
            text = f"is no pattern of RE2: {error}"
            found.append(Problem(f"{join(path, 'mentionPatterns')}[{number}]", text))
    if fields.get("groups") is not None and manifest.groups != "groups":
        text = f"is not read for {manifest.id}; list its groups in {manifest.groups}"
        found.append(Problem(join(path, "groups"), text))
    return found
