"""The close codes of the protocol's documentation are those that the product sends."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENT = re.compile(
    r"(?:\bclose\((?:code=)?|\bcode=|\bcode: int = |\bINVALIDATED = |\bRESTART = )(1\d{3}|4\d{3})\b"
)


def test_the_close_codes_that_are_sent_are_explained_and_no_others() -> None:
    table = (ROOT / "docs/protocol.md").read_text().partition("## Close codes")[2]
    explained = set(re.findall(r"^\| (\d{4}) \|", table.partition("\n## ")[0], re.MULTILINE))
    sent = {
        code
        for folder in ("ipc/websocket", "runtime/gateway/access", "runtime/gateway/clients")
        for path in (ROOT / folder).rglob("*.py")
        for code in SENT.findall(path.read_text())
    }
    sent |= set(SENT.findall((ROOT / "runtime/gateway/device_pairing.py").read_text()))
    assert {"1008", "1012", "4001"} <= sent, "nothing is found any more"
    assert sent - explained == set()
    assert explained - sent == {"1009"}, "the library sends it, for a frame that is too large"
