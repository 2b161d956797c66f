"""Channels that fail on request, installed in tests as another package.

``install`` copies this folder as the distribution ``trunkline-faulty`` with real entry
points; put its result on PYTHONPATH. It must therefore import nothing of the tests.

``faulty``: an account of it does what its configuration's ``fault`` says, ``after`` seconds
after it was ready; a message sent to it whose text is the name of a fault triggers that one.
A message ``write BASE64`` is written to its standard output as it is; ``write BASE64 COUNT``
so many times, in a thread, and told by the status field ``detail`` when it is done.
``bomb MB_PER_SECOND LINE_BYTES``: a thread prints lines of that length at that rate from then on.
``probe BASE64``: Python code that runs in a thread of the worker; what it leaves in ``result`` is
told by ``detail``.
``hold PATH``: that message is sent once there is a file at PATH; told by ``detail``.
``faulty-import``: its plugin cannot be imported. ``faulty-exit``: its import ends the process.
``faulty-extra``: its SDK is missing.
``faulty-login``: a person has to log it in (see ``login.py``).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workers.plugin import LOCAL, Manifest

Fault = Literal[
    "none",
    "never-ready",  # runs, and never says that it works
    "return",  # run returns
    "raise",  # run raises
    "callback",  # a callback on the loop raises
    "exit",  # the process exits with status 3
    "segfault",  # the process dies of a signal
    "block",  # the loop stands still for `seconds`
    "hold-gil",  # C code holds the interpreter's lock, for as long as anybody can wait
    "print",  # prints without end (a log bomb), without ever waiting
    "fork",  # forks a grandchild that outlives it and holds its fds, then raises
    "daemon",  # starts a grandchild in its own session, then raises
    "leak-memory",  # 1 MB every 10 ms
    "leak-slowly",  # 1 MB every 100 ms
    "leak-files",  # opens files until it cannot
    "ignore-term",  # SIGTERM does nothing
    "uncancellable",  # run swallows its cancellation
    "finished",
    "logged-out",
    "needs-login",
    "misconfigured",
    "transient",
    "list",  # emits a list instead of a message
    "huge",  # emits a message over the limit
    "flood",  # emits without end
]


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``seconds`` is how long ``block`` blocks and grandchildren live."""

    fault: Fault = "none"
    after: Annotated[float, Meta(ge=0)] = 0
    seconds: Annotated[float, Meta(ge=0)] = 60
    token: str | None = None


def _manifest(id: str, plugin: str, extra: tuple[str, ...] = ()) -> Manifest:
    return Manifest(
        id=id,
        label=id.capitalize(),
        config=Config,
        plugin=f"{__name__}.{plugin}",
        secrets=frozenset({"token"}),
        extra=extra,
        status={"connected": False},
    )


manifest = _manifest("faulty", "plugin:Faulty")
unimportable = _manifest("faulty-import", "unimportable:Plugin")
deadly = _manifest("faulty-exit", "deadly:Plugin")


class LoginConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``kinds`` are asked one after the other; a QR code is renewed every ``renew`` seconds."""

    kinds: list[Literal["qr", "code", "ask", "open", "web"]] = []
    renew: Annotated[float, Meta(gt=0)] = 60.0
    secret: str | None = None
    server: Annotated[str, LOCAL] = "https://example.org"  # of the kind ``web``


asking = Manifest(
    id="faulty-login",
    label="Login",
    config=LoginConfig,
    plugin=f"{__name__}.login:AsksForLogin",
    secrets=frozenset({"secret"}),
    can=frozenset({"login", "http"}),
)
needy = _manifest("faulty-extra", "needy:Plugin", extra=("sdk-that-nobody-has",))


def install(directory: Path) -> Path:
    """Install the channels into ``directory`` as pip would; return it, for PYTHONPATH."""
    package = directory / "trunkline_faulty"
    shutil.copytree(Path(__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    info = directory / "trunkline_faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trunkline-faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[trunkline.channels]\n"
        "faulty = trunkline_faulty:manifest\n"
        "faulty-import = trunkline_faulty:unimportable\n"
        "faulty-exit = trunkline_faulty:deadly\n"
        "faulty-extra = trunkline_faulty:needy\n"
        "faulty-login = trunkline_faulty:asking\n"
    )
    return directory
