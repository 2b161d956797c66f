"""Resolves the directories of a runtime on this host from the options of a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ops.connect.target import RuntimeTarget
from ops.exits import UsageFailure
from runtime.config.owner import resolve_as_owner
from runtime.config.places import Flags, Places


def flags_of(target: RuntimeTarget, **more: Any) -> Flags:
    """Return the options that select a state directory as ``Flags``, with the fields in ``more``.

    Raises ``UsageFailure`` if both ``--profile`` and ``--dev`` are given.
    """
    given = target.given
    if given.get("profile") and given.get("dev"):
        raise UsageFailure("--dev is itself a profile; use --profile or --dev, not both")
    return Flags(
        state_dir=_path(given.get("state_dir")),
        config_path=_path(given.get("config")),
        profile=given.get("profile"),
        dev=bool(given.get("dev")),
        **more,
    )


def places_of(target: RuntimeTarget) -> Places:
    """Return the directories of a runtime; raises the errors of ``resolve_as_owner``."""
    return resolve_as_owner(os.environ, flags_of(target))


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
