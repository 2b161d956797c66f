"""Writes a first configuration with a working account."""

from __future__ import annotations

import secrets
from pathlib import Path

from ipc.permissions import reason
from runtime.config.errors import ConfigError, ConfigUnwritten, Problem, config_error
from runtime.config.files import create, make_private
from runtime.config.places import DEFAULT_PORT, Places

_TOKEN_BYTES = 32  # 256 bits: it cannot be guessed, and is never typed

_JSON5 = """\
// Trunkline's configuration. `trunkline config example irc` prints every field of a channel, or of
// a section such as `gateway`, with its meaning; `trunkline config validate` checks a change.
{
  gateway: {
    port: PORT,
    // Whoever has this token may use the gateway: keep it secret.
    auth: { token: "TOKEN" },
  },

  // Who answers: echo repeats every message, none leaves answering to the gateway's clients.
  agents: { default: "echo" },

  channels: {
    // A channel for this host only. Try it: trunkline chat local:demo
    local: {
      accounts: {
        demo: {},
      },
    },

    // Fields here apply to all accounts of the channel; an account may override them.
    // irc: {
    //   server: "irc.libera.chat",
    //   tls: true,
    //   accounts: {
    //     libera: { nick: "mynick", channels: ["#mychannel"] },
    //   },
    // },
  },
}
"""

_TOML = """\
# Trunkline's configuration. `trunkline config example irc` prints every field of a channel, or of
# a section such as `gateway`, with its meaning; `trunkline config validate` checks a change.

[gateway]
port = PORT
# Whoever has this token may use the gateway: keep it secret.
auth.token = "TOKEN"

# Who answers: echo repeats every message, none leaves answering to the gateway's clients.
[agents]
default = "echo"

# A channel for this host only. Try it: trunkline chat local:demo
[channels.local.accounts.demo]

# Fields of a channel apply to all its accounts; an account may override them.
# [channels.irc]
# server = "irc.libera.chat"
# tls = true
#
# [channels.irc.accounts.libera]
# nick = "mynick"
# channels = ["#mychannel"]
"""


def write_first(places: Places) -> Path:
    """Write the first configuration and return its path; create the directories.

    The port is written out only for a profile, whose default would surprise a reader. Raises
    ``ConfigError`` when there is a configuration already, or no way to write one.
    """
    path = places.config_path
    text = _TOML if path.suffix == ".toml" else _JSON5
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    if places.default_port == DEFAULT_PORT:
        lines = text.splitlines(keepends=True)
        text = "".join(each for each in lines if "PORT" not in each)
    text = text.replace("PORT", str(places.default_port)).replace("TOKEN", token)
    try:
        for directory in (places.state_dir, places.log_dir, path.parent):
            make_private(directory)
    except FileExistsError as error:
        raise config_error(error.filename, "is not a directory") from None
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        create(path, text)
    except FileExistsError:
        text = "exists already and is left as it is"
        if path.is_symlink() and not path.exists():
            text = f"is a link to {path.readlink()}, which does not exist: correct or remove it"
        raise config_error(path, text) from None
    except OSError as error:
        raise _unwritten(path, error) from None
    return path


def _unwritten(path: Path, error: OSError) -> ConfigError:
    where = f" {error.filename}:" if error.filename not in (None, str(path)) else ""
    return ConfigUnwritten(str(path), [Problem("", f"cannot be written:{where} {reason(error)}")])
