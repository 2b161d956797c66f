"""aiohttp in the gateway: what its server does not need comes when it is used."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from runtime.gateway.http.lean_aiohttp import trusting

ROOT = Path(__file__).parents[4]
# In a process of its own: this one may have imported aiohttp already, for other tests.
THE_HTTP_SERVER = """
import ssl
from runtime.gateway.http.late import _import
_import()
from aiohttp.connector import _SSL_CONTEXT_VERIFIED as kept
assert kept.verify_mode is ssl.CERT_REQUIRED and kept.check_hostname
assert ssl.create_default_context().cert_store_stats()["x509"] == 1
print(kept.cert_store_stats()["x509"])
"""

WHAT_COMES_LATE = """
import os, sys
from runtime.gateway.http.late import _import
_import()
import mimetypes
assert not {"argparse", "urllib.request"} & set(sys.modules)
assert not mimetypes.inited
from aiohttp.helpers import proxies_from_env
os.environ["http_proxy"] = "http://proxy:3128"
assert str(proxies_from_env()["http"].proxy) == "http://proxy:3128"
import argparse, urllib.request
assert argparse.ArgumentParser().parse_args([]) == argparse.Namespace()
assert urllib.request.getproxies is sys.modules["urllib.request"].getproxies
assert mimetypes.guess_type("page.html") == ("text/html", None) and mimetypes.inited
"""


def trusted(tmp_path: Path) -> str:
    """Return a file with the only certificate that a system trusts."""
    path = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


def test_the_gateway_s_server_keeps_no_certificates_of_the_system(tmp_path: Path) -> None:
    """They take 0.8 MiB, for requests that a gateway hardly ever makes."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SSL_CERT_FILE": trusted(tmp_path)}
    environ["SSL_CERT_DIR"] = str(tmp_path / "none")
    done = subprocess.run(
        [sys.executable, "-c", THE_HTTP_SERVER], env=environ, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_what_a_server_does_not_need_comes_with_its_first_use() -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WHAT_COMES_LATE], env=environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_request_that_the_gateway_makes_trusts_whom_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted(tmp_path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    context = trusting()
    assert context.cert_store_stats()["x509"] == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
