"""Makes packages with a channel, as other people's packages are installed."""

from __future__ import annotations

from pathlib import Path

# The channel ``local`` under another name; what its import does stands before that.
PLUGIN = "from workers.channels.local.plugin import Local as Plugin\n"
MANIFEST = """
from dataclasses import replace
from workers.channels import local
manifest = replace(local.manifest, id="{name}", plugin="{name}.plugin:Plugin")
"""

# What an import may do to the process that runs it.
BAD_IMPORTS = {
    "raises": "raise RuntimeError('this SDK is broken')\n",
    "exits": "import sys; sys.exit('no such licence')\n",
    "ends": "import os; os._exit(5)\n",
    "segfaults": "import ctypes; ctypes.string_at(0)\n",
    "threads": "import threading, time; threading.Thread(target=time.sleep, args=(600,),"
    " daemon=True).start()\n",
    "breaks": "import os\nzygote = os.getpid()\n"
    "os.register_at_fork(after_in_child=lambda: os.getppid() == zygote or os._exit(4))\n",
    "eats": "eaten = bytearray(b'x') * (500 << 20)\n",
    "hangs": "import time; time.sleep(600)\n",
}


def install(directory: Path, name: str, importing: str = "", version: str = "1.0") -> Path:
    """Install the channel ``name``, which runs ``importing`` first; return its package.

    ``directory`` must be on the path of what is to find it.
    """
    package = directory / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(MANIFEST.format(name=name))
    (package / "plugin.py").write_text(importing + PLUGIN)
    info = directory / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[trunkline.channels]\n{name} = {name}:manifest\n")
    return package
