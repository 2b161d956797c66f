"""What a person should hear of a configuration that is valid all the same."""

from __future__ import annotations

import stat

from runtime.config.load import Loaded
from runtime.config.redact import redacted

OTHERS = stat.S_IRGRP | stat.S_IROTH


def doubts(loaded: Loaded) -> list[str]:
    """Return the warnings about a configuration, each one sentence."""
    found = list(loaded.manifests.warnings)
    if _readable_by_others(loaded) and redacted(loaded.raw, loaded.manifests) != loaded.raw:
        found.append(f"{loaded.path} holds secrets and others may read it; `chmod 600` mends that")
    return found


def _readable_by_others(loaded: Loaded) -> bool:
    try:
        return bool(loaded.path.stat().st_mode & OTHERS)
    except OSError:  # gone since it was read
        return False
