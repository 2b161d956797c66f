"""Loads the configuration of a runtime of this host, for commands that need no daemon."""

from __future__ import annotations

import os

from ops.connect.places import flags_of, places_of
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from runtime.config.load import Loaded, load, load_effective
from runtime.config.places import Places
from runtime.supervisor.gateways.preflight import GatewayPreflight


def load_file(places: Places) -> Loaded:
    """Load the configuration from the file alone.

    Raises ``OperatorError`` (exit 78) if there is no file, ``ConfigError`` if it is invalid.
    """
    _must_exist(places)
    return load(places.config_path, default_port=places.default_port)


def load_as_up_does(target: RuntimeTarget) -> Loaded:
    """Load the configuration as `trunkline up` would, including environment and flags.

    Raises ``OperatorError`` (exit 78) if there is no file, ``ConfigError`` if `up` would refuse
    it.
    """
    places = places_of(target)
    _must_exist(places)
    loaded = load_effective(places, os.environ, flags_of(target))
    GatewayPreflight().check(loaded)
    return loaded


def _must_exist(places: Places) -> None:
    if not places.config_path.exists():
        raise OperatorError(
            f"{places.config_path} does not exist; `trunkline up` writes a first one",
            ExitCode.CONFIGURATION,
        )
