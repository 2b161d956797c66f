"""Opens the console in a browser, signed in by a one-time token.

The arguments of a process are visible to all users of this host. So the browser is not given the
address with the token, but the path of a private file that redirects there.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipc.files import write_atomically
from ipc.hidden_fields import hide_fields
from ops.actions.ask import ask_supervisor
from ops.connect.places import places_of
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError

FILE = "console.html"  # in the run directory, which is its user's alone
OPENERS = ("xdg-open", "wslview")
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
OPEN_SECONDS = 10.0
LEADS = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Trunkline</title>
<p><a href="{address}">Go on to the console</a>. This link opens it once, within a minute.</p>
"""


@hide_fields("address", "public_address")
@dataclass(frozen=True)
class ConsoleAddress:
    """The console's address, which signs one browser in until ``expires_at`` (epoch ms).

    ``public_address`` does the same from elsewhere, if ``gateway.publicUrl`` is set.
    """

    url: str
    address: str
    expires_at: int
    public_address: str | None = None


def make_address(target: RuntimeTarget) -> ConsoleAddress:
    """Return the address of the console with a new one-time token."""
    answer = ask_supervisor(target, "device.bootstrap.create", {})
    fragment = f"#bootstrap={answer['bootstrapToken']}"
    public = answer.get("publicUrl")
    return ConsoleAddress(
        answer["url"],
        f"{answer['url']}{fragment}",
        answer["expiresAtMs"],
        None if public is None else f"{public}{fragment}",
    )


def opener(environment: Mapping[str, str]) -> str | None:
    """Return the program that opens a file in this user's browser; ``None`` if there is none."""
    if not any(environment.get(name) for name in DISPLAYS):
        return None
    return next((path for name in OPENERS if (path := shutil.which(name))), None)


def open_in_browser(target: RuntimeTarget, program: str, address: str) -> Path:
    """Write a file that redirects to ``address``, open it with ``program`` and return its path.

    Raises ``OperatorError`` if the file cannot be written or the program fails.
    """
    path = places_of(target).run_dir / FILE
    try:
        write_atomically(path, LEADS.format(address=html.escape(address)).encode())
        command = [program, str(path)]
        subprocess.run(  # noqa: S603 - a known program and a file of ours
            command,
            check=True,
            timeout=OPEN_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        pass  # a browser that stays in the foreground
    except (OSError, subprocess.SubprocessError) as error:
        name = os.path.basename(program)
        hint = "`trunkline open --print` prints the address"
        raise OperatorError(f"{name} could not open {path}: {error}; {hint}") from None
    return path
