"""What an import makes."""

from __future__ import annotations

from ops.openclaw.imported import Imported


def test_our_file_is_shown_without_its_secrets() -> None:
    imported = Imported(
        source="a",
        target="b",
        files=["a"],
        notes=[],
        text="{token: 'hush'}",
        shown={"gateway": {"auth": {"token": "…"}}},
        advice=[],
    )
    assert imported.shown_text == '{\n  gateway: {\n    auth: { token: "…" },\n  },\n}'
