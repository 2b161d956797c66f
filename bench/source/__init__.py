"""The channel ``source``: emits messages at an ordered rate, and fails on order.

Installed for a benchmark as a third-party package, by a real entry point, so that the
product is measured whole. The channel ``local`` can emit at a rate too, but that is fixed in
its configuration; here a message to the account changes it while everything runs. Imports
nothing of the benchmarks.

Orders are texts of ``send``: ``rate=R bytes=B`` (messages a second, 0 stops, -1 as fast as
``emit`` lets it), ``burst=N bytes=B``, ``crash``, ``hang=SECONDS``, ``leak=MIB_PER_SECOND``.
Any other text is only acknowledged. Each message begins with a running number and the time
of its emission in nanoseconds (CLOCK_MONOTONIC, which all processes share).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from workers.plugin import Manifest


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``crash_after`` seconds the process exits by itself, again and again; 0: never.

    ``rate`` is that of the start. ``ledger`` is a file to which ``b N`` is written before message N
    is emitted and ``d N`` once that is done; the numbers go on from there in the next process.
    """

    crash_after: float = 0
    rate: float = 0
    ledger: str = ""


manifest = Manifest(
    id="source",
    label="Source",
    config=Config,
    plugin=f"{__name__}.plugin:Source",
    status={"connected": True},
)


def install(directory: Path) -> str:
    """Install the channel into ``directory`` as pip would; return it, for PYTHONPATH."""
    package = directory / "trunkline_source"
    shutil.copytree(Path(__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    info = directory / "trunkline_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trunkline-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[trunkline.channels]\nsource = trunkline_source:manifest\n"
    )
    return str(directory)
