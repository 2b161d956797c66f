"""Checks fields of an account that depend on each other, or on what its channel can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.config.check import join
from runtime.config.errors import Problem
from runtime.config.patterns import matcher_of
from workers.plugin import Manifest


def launcher_problems(fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that what is to be confined, or names an interpreter, is not to be forked."""
    if fields.get("python") is not None:
        if fields.get("launcher") == "zygote":
            text = 'is "zygote"; allowed only "exec" beside python'
            return [Problem(join(path, "launcher"), text)]
        return []
    if fields.get("confine") is not True or fields.get("launcher") == "exec":
        return []
    return [Problem(join(path, "confine"), 'is true; allowed only beside launcher: "exec"')]


def ingress_problems(manifest: Manifest, fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that a channel of which HTTP requests are asked takes any."""
    if fields.get("ingress") is not True or "http" in manifest.can:
        return []
    text = (
        f"is true; allowed only for channels that take HTTP requests, which {manifest.id} does not"
    )
    return [Problem(join(path, "ingress"), text)]


def streaming_problems(manifest: Manifest, fields: Mapping[str, Any], path: str) -> list[Problem]:
    """Check that a channel whose answers are to grow by edits can edit what it has sent."""
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
    """Check that people can be remembered where they pair, and that groups are listed in a place.

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
