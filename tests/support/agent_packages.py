"""Makes packages with a kind of agents, as other people's packages are installed."""

from __future__ import annotations

from pathlib import Path


def install_kind(directory: Path, kind: str, manifest: str, code: str = "") -> Path:
    """Install a kind of agents into ``directory``, to be on PYTHONPATH; return that.

    ``manifest`` is its import string. ``code`` is its module's, where that is not there already.
    """
    directory.mkdir(exist_ok=True)
    if code:
        (directory / f"{manifest.partition(':')[0]}.py").write_text(code)
    info = directory / f"{kind}_agent-1.0.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {kind}-agent\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[trunkline.agents]\n{kind} = {manifest}\n")
    return directory
