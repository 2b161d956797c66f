"""Variables that are taken out of the environment of a running process."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_a_forgotten_variable_is_in_no_form_of_the_environment() -> None:
    code = """
import json, os, sys
from runtime.zygote.environment import forget
forget(["SECRET", "NO_SUCH"])
block = open("/proc/self/environ", "rb").read().decode()
print(json.dumps([os.environ.get("SECRET"), os.environ["SECRET_TOO"], block]))
"""
    path = os.pathsep.join(filter(None, sys.path))
    given = {**os.environ, "PYTHONPATH": path, "SECRET": "s3cret", "SECRET_TOO": "kept"}
    out = subprocess.run([sys.executable, "-c", code], env=given, stdout=subprocess.PIPE).stdout
    gone, kept, block = json.loads(out)
    assert (gone, kept) == (None, "kept")
    assert "s3cret" not in block
    assert "SECRET_TOO=kept" in block.split("\0")
