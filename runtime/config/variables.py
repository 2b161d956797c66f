"""Finds the environment variables that hold secrets of the daemon and its accounts. Pure.

A child is started without them, except for those that its own references name: what one account
or the gateway keeps in a variable is not for the code of another account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# They open the gateway, under our names and OpenClaw's, whatever the configuration says.
GATEWAY_VARIABLES = frozenset(
    {
        "TRUNKLINE_GATEWAY_TOKEN",
        "TRUNKLINE_GATEWAY_PASSWORD",
        "OPENCLAW_GATEWAY_TOKEN",
        "OPENCLAW_GATEWAY_PASSWORD",
    }
)

# A program does not run as usual without these, so a reference to one makes no secret of it.
_ORDINARY = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"}
    | {"PYTHONPATH", "LD_LIBRARY_PATH", "TRUNKLINE_RUN_ID", "TRUNKLINE_PEER"}
    | {"TRUNKLINE_STATE_DIR", "TRUNKLINE_CONFIG_PATH", "TRUNKLINE_RUNTIME_DIR"}
)


def referenced(values: Any) -> frozenset[str]:
    """Return the variables that references ``{source: "env", id: NAME}`` in ``values`` name."""
    return frozenset(_names(values)) - _ORDINARY


def _names(values: Any) -> Iterator[str]:
    if isinstance(values, Mapping):
        name = values.get("id")
        if values.get("source") == "env" and isinstance(name, str):
            yield name
        for each in values.values():
            yield from _names(each)
    elif isinstance(values, list | tuple):
        for each in values:
            yield from _names(each)
