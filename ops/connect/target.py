"""Where the runtime that a command means keeps its state, and what its configuration says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ops.exits import Exit, OperatorError, UsageFailure

if TYPE_CHECKING:
    from runtime.config.load import Loaded
    from runtime.config.places import Flags, Places


def flags(context: typer.Context, **more: Any) -> Flags:
    """Return what was said about places, before the command or after it."""
    from runtime.config.places import Flags

    said = context.find_root().params
    if said.get("profile") and said.get("dev"):
        raise UsageFailure("--dev is a profile itself; say --profile or --dev, not both")
    return Flags(
        state_dir=_path(said.get("state_dir")),
        config_path=_path(said.get("config")),
        profile=said.get("profile"),
        dev=bool(said.get("dev")),
        **more,
    )


def here(context: typer.Context) -> Places:
    """Return the places of the runtime that the command means."""
    from runtime.config.places import resolve

    return resolve(os.environ, flags(context))


def loaded(places: Places) -> Loaded:
    """Return the configuration as it stands in the file; exit 78 where it cannot be used."""
    from runtime.config.load import load

    _must_exist(places)
    return load(places.config_path, default_port=places.default_port)


def effective(context: typer.Context) -> Loaded:
    """Return the configuration as `trunkline up` would use it, environment and all; exit 78
    where it would refuse.
    """
    from runtime.config.load import load_effective

    places = here(context)
    _must_exist(places)
    return load_effective(places, os.environ, flags(context))


def _must_exist(places: Places) -> None:
    if not places.config_path.exists():
        raise OperatorError(
            f"{places.config_path} does not exist; `trunkline up` writes a first one",
            Exit.CONFIGURATION,
        )


def _path(said: str | None) -> Path | None:
    return Path(said) if said else None
