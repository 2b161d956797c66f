"""Finds the variables of a shell that matter to the daemon and that its service does not get. Pure.

A service begins with the environment of its manager, not with that of the shell that installs it.
Only names are handled here: a value may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from runtime.config.agent_model import ENTRIES
from runtime.config.variables import referenced

# What the daemon reads beside what the configuration names. Those that choose its directories
# are not among them: the unit's command has what they say.
_READ = frozenset(
    {
        "TRUNKLINE_GATEWAY_PORT",
        "TRUNKLINE_GATEWAY_TOKEN",
        "TRUNKLINE_RUNTIME_DIR",
        "OPENCLAW_CANVAS_HOST_PORT",
        "OPENCLAW_SKIP_CANVAS_HOST",
    }
)
# What libraries of platforms and providers read by themselves.
_OF_LIBRARIES = re.compile(
    r"\w+_API_KEY|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|(?i:https?|all|no)_(?i:proxy)"
)


def used_variables(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that a configuration refers to, or passes on to programs of agents."""
    section: Any = values
    for name in ENTRIES.split("."):
        section = section.get(name) if isinstance(section, Mapping) else None
    entries = section.values() if isinstance(section, Mapping) else ()
    lists = [each.get("inheritEnv") for each in entries if isinstance(each, Mapping)]
    passed_on = {name for names in lists if isinstance(names, list) for name in names}
    return referenced(values) | {name for name in passed_on if isinstance(name, str)}


def missing_variables(
    shell: Mapping[str, str], used: Collection[str], given: Collection[str]
) -> list[str]:
    """Return the variables of ``shell`` that the daemon would use, and that are not ``given``."""
    return sorted(
        name
        for name, value in shell.items()
        if value
        and name not in given
        and (name in used or name in _READ or _OF_LIBRARIES.fullmatch(name))
    )
