"""What overrides the values of the file: flag, then environment, then file, then default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from runtime.config.errors import ConfigError, Problem
from runtime.config.exposure import exposure
from runtime.config.load import Loaded, load_text, with_gateway
from runtime.config.model import Config
from runtime.config.places import Flags, Places
from runtime.config.text.parse import read_text

NOTHING_SAID = Flags()


def effective(config: Config, environ: Mapping[str, str], flags: Flags = NOTHING_SAID) -> Config:
    """Return ``config`` under the flags and the environment.

    Raises ``ConfigError`` for an impossible ``TRUNKLINE_GATEWAY_PORT``, and when no secret is
    left: a gateway that anybody may use is never started by accident.
    """
    if flags.port is not None and not 0 < flags.port < 65_536:
        text = f"is {flags.port}; allowed: an integer from 1 to 65535"
        raise ConfigError("command line", [Problem("--port", text)])
    if (port := flags.port or _environment_port(environ)) is not None:
        config = with_gateway(config, port=port)
    auth = config.gateway.auth
    if token := flags.token or environ.get("TRUNKLINE_GATEWAY_TOKEN"):
        auth = msgspec.structs.replace(auth, token=token)
        config = with_gateway(config, auth=auth)
    return config


def load_effective(
    places: Places,
    environ: Mapping[str, str],
    flags: Flags = NOTHING_SAID,
    text: str | None = None,
) -> Loaded:
    """Read the file of ``places``, or ``text`` as if it were that, and put flags and environment
    over it. Raises ``ConfigError`` for all that keeps ``trunkline up`` from starting.
    """
    path = places.config_path
    found = read_text(path) if text is None else text
    loaded = load_text(path, found, default_port=places.default_port)
    config = effective(loaded.config, environ, flags)
    if problem := exposure(config.gateway):
        raise ConfigError(str(loaded.path), [problem])
    return replace(loaded, config=config)


def _environment_port(environ: Mapping[str, str]) -> int | None:
    given = environ.get("TRUNKLINE_GATEWAY_PORT")
    if not given:
        return None
    if given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65_536:
        return int(given)
    text = "is not a port; allowed: an integer from 1 to 65535"
    raise ConfigError("environment", [Problem("TRUNKLINE_GATEWAY_PORT", text)])
