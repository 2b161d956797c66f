"""The client of websockets comes without what finds proxies, until something looks for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNUSED = """
import sys
import ipc.client
assert not {"urllib.request", "http.client", "email.message"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    "code",
    [
        "",
        # websockets itself, for a connection of other code that may use a proxy
        """
from websockets.proxy import get_proxy
from websockets.uri import parse_uri
assert get_proxy(parse_uri("ws://example.org/")) == "http://proxy:3128"
assert "urllib.request" in sys.modules
""",
        # other code that imports the module itself
        """
import urllib.request
from urllib import request
assert request is urllib.request is sys.modules["urllib.request"]
assert isinstance(urllib.request.__file__, str)
""",
        """
from urllib import request
assert request.getproxies()["http"] == "http://proxy:3128"
""",
    ],
    ids=["nothing", "a proxy is looked for", "it is imported", "it is taken from its package"],
)
def test_the_module_is_imported_by_its_first_use(code: str) -> None:
    run = [sys.executable, "-c", UNUSED + code]
    env = {"PYTHONPATH": str(ROOT), "http_proxy": "http://proxy:3128"}
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_it_is_imported_already_it_stays() -> None:
    code = """
import urllib.request
real = urllib.request
import ipc.client
assert urllib.request is real
"""
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, timeout=60)
    assert done.returncode == 0
