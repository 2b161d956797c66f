"""Imports a configuration of OpenClaw: reads it, translates it, and writes the result on request.

Nothing of the original is changed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.openclaw.draft import Note, plain
from ops.openclaw.imported import Imported
from ops.openclaw.reading import dotenv_beside, read_original
from ops.openclaw.translation import STRANGE, inline_variables, translate
from ops.openclaw.validation import prune
from ops.openclaw.variables import Variables
from ops.output.commands import for_runtime
from runtime.config.files import create, make_private, replace
from runtime.config.places import Places
from runtime.config.redact import redacted
from workers.registry import manifests

ROOTS = "OPENCLAW_INCLUDE_ROOTS"
TOKEN_BYTES = 32
TWO_BOTS = "two programs with one bot take each other's messages"


def default_source(environ: Mapping[str, str]) -> Path:
    """Return the path of OpenClaw's configuration, by OpenClaw's own variables."""
    if chosen := environ.get("OPENCLAW_CONFIG_PATH"):
        return Path(chosen).expanduser()
    state = environ.get("OPENCLAW_STATE_DIR") or "~/.openclaw"
    return Path(state).expanduser() / "openclaw.json"


def import_openclaw(source: Path, places: Places, environ: Mapping[str, str]) -> Imported:
    """Translate a configuration of OpenClaw; writes nothing.

    Raises ``OperatorError`` if it cannot be read.
    """
    if places.config_path.suffix == ".toml":
        raise OperatorError(
            f"{places.config_path}: an import writes JSON5; name a file with --config FILE.json5",
            ExitCode.USAGE,
        )
    roots = [Path(each) for each in environ.get(ROOTS, "").split(os.pathsep) if each]
    original = read_original(source, roots)
    known = manifests()
    variables = Variables(environ, dotenv_beside(source), inline_variables(original.values))
    draft = translate(original.values, variables, list(known), secrets.token_urlsafe(TOKEN_BYTES))
    text = prune(draft, places, source)
    config = plain(draft.config)
    return Imported(
        source=str(source),
        target=str(places.config_path),
        files=[str(each) for each in original.files],
        notes=draft.notes,
        text=text,
        shown=redacted(config, known),
        advice=[*_corrections(draft.notes, source), *_advice(config, environ)],
    )


def write_imported(imported: Imported, *, force: bool) -> None:
    """Write our file, readable by its owner only; raises ``UsageFailure`` if it exists.

    With ``force`` it is replaced, and the old one is kept beside it as ``.bak``; never a file of
    the original, nor what is not a file.
    """
    path = Path(imported.target)
    _must_be_replaceable(path, imported.files)
    make_private(path.parent)
    try:
        if force and path.exists():
            path.chmod(0o600)
            replace(path, imported.text)
        else:
            create(path, imported.text)
    except FileExistsError:
        raise UsageFailure(
            f"{path} exists already; --force replaces it, and keeps it as {path.name}.bak"
        ) from None


def _must_be_replaceable(path: Path, original: Iterable[str]) -> None:
    """Raise ``UsageFailure`` if no import may write to ``path``, by whatever name it is called."""
    if os.path.realpath(path) in map(os.path.realpath, original):
        raise UsageFailure(
            f"{path} is a file of OpenClaw, which an import never changes; name another one with"
            " --config FILE.json5"
        )
    if path.is_symlink() and not path.exists():
        raise UsageFailure(f"{path} is a link to nothing; remove it, or make what it leads to")
    if path.exists() and not path.is_file():
        raise UsageFailure(f"{path} is not a file")


def _corrections(notes: Iterable[Note], source: Path) -> Iterator[str]:
    """Yield what the operator should correct in the original before importing it."""
    strange = [
        f"{note.path}{note.reason.removeprefix(STRANGE)}"
        for note in notes
        if note.group == "left" and note.reason.startswith(STRANGE)
    ]
    if strange:
        yield (
            f"{source} has settings that OpenClaw is not known to have: {', '.join(strange)};"
            " if one is misspelt, correct it and run the import again"
        )


def _advice(config: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what the operator should do before starting the daemon."""
    channels = config.get("channels", {})
    if channels:
        commands = "; ".join(
            f"openclaw config set channels.{each}.enabled false" for each in channels
        )
        begin = for_runtime("before `trunkline up`, turn off what was imported")
        yield f"{begin} ({TWO_BOTS}): {commands}"
    names = sorted(set(_variables(config)))
    if names:
        set_here = [name for name in names if environ.get(name)]
        known = f" (a service does not have what is set in this shell: {', '.join(set_here)})"
        yield f"the daemon needs these variables: {', '.join(names)}{known if set_here else ''}"
    if any(each.get("kind") == "openclaw" for each in config["agents"]["entries"].values()):
        yield "leave OpenClaw's gateway running: its agents answer from there"


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("source") == "env" and isinstance(value.get("id"), str):
            yield value["id"]
        for each in value.values():
            yield from _variables(each)
    elif isinstance(value, list):
        for each in value:
            yield from _variables(each)
