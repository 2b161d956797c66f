"""Refuses remote changes of local fields, and names the command to run on the host.

Changing them allows running commands as the daemon's user, or sending a secret elsewhere
(``gateway.remoteExec``). The refusal comes before anything that the new configuration names is
read, resolved or run.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from ipc.errors import RemoteError
from ipc.frames.words import FORBIDDEN
from runtime.config.edit.local_changes import local_changes
from runtime.config.edit.unknown_names import check_names
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded
from runtime.config.places import Places, resolve
from runtime.config.redact import redacted
from runtime.config.text.merge_patch import difference
from workers.registry import Manifests

CODE = "LOCAL_FIELDS"  # in the details of the refusal
LONGEST = 1000  # characters of a command: a longer one is not copied
SHOWN = 5  # fields in the sentence; the details have all


def refuse_local_changes(
    places: Places, loaded: Loaded, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Raise ``RemoteError`` when a remote change of ``before`` to ``after`` needs the host.

    Raises ``ConfigError`` instead when there are unknown names in it: the host refuses it, too.
    """
    fields = local_changes(before, after, loaded.manifests)
    if not fields:
        return
    check_names(places.config_path, after, loaded.manifests)
    command = _command(places, before, after, loaded.manifests)
    named = ", ".join(fields[:SHOWN])
    if len(fields) > SHOWN:
        named += f" and {len(fields) - SHOWN} more"
    if command is None:
        todo = f"Edit {places.config_path} there"
    elif command.endswith(" -"):
        todo = f"Run there: {command} (it reads the change from stdin, because it holds a secret)"
    else:
        todo = f"Run there: {command}"
    text = f"{named}: only changed on the gateway's host (gateway.remoteExec is false). {todo}"
    details: dict[str, Any] = {"code": CODE, "fields": fields}
    raise RemoteError(FORBIDDEN, text, details=details | ({"command": command} if command else {}))


def _command(
    places: Places, before: Mapping[str, Any], after: Mapping[str, Any], manifests: Manifests
) -> str | None:
    """Return the command that makes the change on the host; ``None``: the file must be edited.

    It contains no secret: a shell would remember it, and the command may be shown to others.
    """
    patch = difference(before, after)
    words = patch_command(places)
    if patch is None:
        return None
    if redacted(patch, manifests) != patch:
        return shlex.join([*words, "-"])
    command = shlex.join([*words, msgspec.json.encode(patch).decode()])
    return command if len(command) <= LONGEST else None


def patch_command(places: Places) -> list[str]:
    """Return the words of the command on the host that changes this daemon's configuration."""
    return ["trunkline", "config", "patch", *_where(places)]


def _where(places: Places) -> list[str]:
    """Return the options by which a command finds this daemon, if it needs any."""
    if places.profile is not None:
        return ["--profile", places.profile]
    try:
        usual = resolve({}).state_dir
    except ConfigError:  # not known: then the directory is named
        usual = None
    return [] if places.state_dir == usual else ["--state-dir", str(places.state_dir)]
