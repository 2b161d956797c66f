"""The version of the installed distribution."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1)
def own_version() -> str:
    """Return the version of the installed distribution, or ``0+source`` from a bare checkout."""
    from importlib.metadata import PackageNotFoundError  # 12 ms
    from importlib.metadata import version as installed

    try:
        return installed("trunkline")
    except PackageNotFoundError:
        return "0+source"
