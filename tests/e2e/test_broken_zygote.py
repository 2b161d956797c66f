"""A library that breaks every process forked after its import costs its own accounts nothing
but memory, and the others nothing: the zygote does without it, and a person is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e


def install(directory: Path) -> str:
    """Install the channel ``forky``: the channel ``local`` with such a library in it."""
    from workers.channels.local import manifest

    module, _, name = manifest.plugin.partition(":")
    package = directory / "forky"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from dataclasses import replace\n"
        "from workers.channels import local\n"
        'manifest = replace(local.manifest, id="forky", plugin="forky.plugin:Plugin")\n'
    )
    # It ends grandchildren of whoever imports it: those of the zygote are workers and gateway.
    (package / "plugin.py").write_text(
        f"import os\nfrom {module} import {name} as Plugin\nzygote = os.getpid()\n"
        "os.register_at_fork(after_in_child=lambda: os.getppid() == zygote or os._exit(4))\n"
    )
    info = directory / "forky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: forky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trunkline.channels]\nforky = forky:manifest\n")
    return str(directory)


async def test_it_comes_up_without_the_library_and_says_which_it_was(tmp_path: Path) -> None:
    channels: dict[str, Any] = {"forky": {"accounts": {"a": {}}}, "local": {"accounts": {"b": {}}}}
    site = install(tmp_path / "site")
    async with Daemon(tmp_path, {"channels": channels}, PYTHONPATH=site) as daemon:
        for key in ("forky:a", "local:b"):
            await daemon.wait_phase(key, "running")
        status = await daemon.wait(lambda s: s["supervisor"]["warnings"])
        assert status["gateway"]["failures"] > 1
        (warning,) = status["supervisor"]["warnings"]
        assert warning.startswith("forky.plugin breaks what the zygote forks")
        said = (tmp_path / "state" / "logs" / "supervisor.log").read_text()
        assert "the zygote makes no sound children" in said
