"""What an import is printed as."""

from __future__ import annotations

import pytest

from ops.openclaw.draft import Note
from ops.openclaw.imported import Imported
from ops.output.imported import document, show_imported

IMPORTED = Imported(
    source="openclaw.json",
    target="trunkline.json5",
    files=["openclaw.json", "more.json"],
    notes=[
        Note("taken", "a", ("a",)),
        Note("taken", "b", ("x", "b")),
        Note("changed", "c (not set)", ("c",), "why"),
        Note("left", "bad\x1b[31m", (), "no such"),
    ],
    text="{}",
    shown={"a": 1},
    advice=["do this"],
)


def test_a_person_reads_three_groups(capsys: pytest.CaptureFixture[str]) -> None:
    show_imported(IMPORTED, written=False)
    assert capsys.readouterr().out.splitlines() == [
        "openclaw.json + more.json -> trunkline.json5",
        "",
        "Taken as it is (2):",
        "  a",
        "  b -> x.b",
        "",
        "Changed, or written out where the original has nothing (1):",
        "  c (not set): why",
        "",
        "Left in OpenClaw (1):",
        r"  bad\x1b[31m: no such",
        "",
        "trunkline.json5 would be:",
        "",
        "{ a: 1 }",
        "",
        "Nothing is written; --write does that.",
        "* do this",
    ]


def test_what_was_written_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show_imported(IMPORTED, written=True)
    out = capsys.readouterr().out
    assert "\n\nWritten to trunkline.json5, for its owner only.\n" in out
    assert "{ a: 1 }" not in out


def test_the_document_for_scripts_has_the_same_content() -> None:
    found = document(IMPORTED, written=True)
    assert found["taken"] == [{"path": "a", "target": "a"}, {"path": "b", "target": "x.b"}]
    assert found["changed"] == [{"path": "c (not set)", "target": "c", "reason": "why"}]
    assert found["left"] == [{"path": "bad\x1b[31m", "reason": "no such"}]
    assert (found["written"], found["config"], found["advice"]) == (True, {"a": 1}, ["do this"])
