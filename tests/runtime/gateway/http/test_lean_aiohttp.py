"""aiohttp in the gateway: it trusts nobody, unless a request brings whom it trusts."""

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


def test_a_request_that_the_gateway_makes_trusts_whom_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted(tmp_path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    context = trusting()
    assert context.cert_store_stats()["x509"] == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
