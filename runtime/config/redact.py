"""Copies a configuration without its secrets. Pure.

A manifest names the secret fields of its channel. What looks like a secret is hidden too:
better one harmless value too many than one password in a bug report.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from runtime.config.accounts import OURS
from runtime.config.text.json5_positions import ValuePath
from workers.registry import Manifests

REDACTED = "__OPENCLAW_REDACTED__"  # the mark of the protocol: written back, it means "as it was"

_GATEWAY = frozenset({"auth.token", "auth.password"})
_SUSPECT = re.compile(
    r"token|passw|passphrase|secret|credential|api_?key|private_?key|^key$|^pin$", re.IGNORECASE
)
_IN_URL = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")  # user:password@host
_ALL = frozenset({""})


def redacted(values: Mapping[str, Any], manifests: Manifests) -> dict[str, Any]:
    """Return a copy of a configuration (as in the file) with ``REDACTED`` for each secret.

    A reference is shown: it names where a secret lies, not the secret. Of a channel whose
    manifest is missing all texts are hidden, because it is not known which are secret.
    """
    result = {name: _hide(value, set()) for name, value in values.items()}
    if "gateway" in values:
        result["gateway"] = _hide(values["gateway"], _GATEWAY)
    channels = values.get("channels")
    if isinstance(channels, Mapping):
        result["channels"] = {
            name: _channel(section, _secrets(manifests, name)) for name, section in channels.items()
        }
    return result


def hidden(values: Any, shown: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, str, str]]:
    """Yield where ``shown``, a redacted copy of ``values``, differs: path, secret and mark."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from hidden(value, shown[name], (*path, name))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from hidden(value, shown[index], (*path, index))
    elif values != shown:
        yield path, values, shown


def _channel(section: Any, secrets: Collection[str]) -> Any:
    if not isinstance(section, Mapping):
        return _hide(section, secrets)
    shown = _account(section, secrets)
    accounts = section.get("accounts")
    if isinstance(accounts, Mapping):
        shown["accounts"] = {name: _account(each, secrets) for name, each in accounts.items()}
    return shown


def _account(fields: Any, secrets: Collection[str]) -> Any:
    if not isinstance(fields, Mapping):
        return _hide(fields, secrets)
    return {
        name: value if name in OURS else _hide(value, _inside(name, secrets), name)
        for name, value in fields.items()
    }


def _secrets(manifests: Manifests, id: str) -> frozenset[str]:
    return manifests[id].manifest.secrets if id in manifests else _ALL


def _hide(value: Any, secrets: Collection[str], name: str = "") -> Any:
    """Return ``value`` without the secrets inside it; ``""`` among them means all of it."""
    if isinstance(value, Mapping):
        if set(value) == {"source", "id"}:
            return dict(value)
        return {
            each: _hide(inner, _inside(each, secrets), str(each)) for each, inner in value.items()
        }
    if isinstance(value, list):
        return [_hide(each, secrets, name) for each in value]
    if isinstance(value, str) and value:
        secret = "" in secrets or _SUSPECT.search(name)
        return REDACTED if secret else _IN_URL.sub(REDACTED, value)
    return value


def _inside(name: str, secrets: Collection[str]) -> set[str]:
    """Return the names of the secrets inside the field ``name``; ``""`` (all of it) stays."""
    inner = {rest for each in secrets for head, _, rest in [each.partition(".")] if head == name}
    return inner | ({""} if "" in secrets else set())
