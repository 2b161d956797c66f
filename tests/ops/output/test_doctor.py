"""What the doctor prints."""

from __future__ import annotations

import pytest

from ops.doctor.finding import Finding, Severity
from ops.output.doctor import show_findings, summary

ERROR = Finding("a.b", Severity.ERROR, "it \x1b broke", None, "mend it")
FIXED = Finding("c.d", Severity.WARNING, "open", "/p", "chmod", fixed="mode 700")


def test_findings_are_grouped_and_say_what_cures_them(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings([ERROR, ERROR, FIXED], 34)
    assert capsys.readouterr().out.splitlines() == [
        "error",
        *["  it \\x1b broke  [a.b]", "    cure: mend it"] * 2,
        "warning",
        "  open  [c.d]",
        "    fixed: mode 700",
        "34 checks: 2 errors, 1 fixed",
    ]


def test_nothing_is_said_to_be_well_only_then() -> None:
    assert summary([], 34) == "34 checks: all is well"
    assert summary([FIXED], 34) == "34 checks: 1 fixed"
    assert summary([Finding("a", Severity.INFO, "x")] * 2, 2) == "2 checks: 2 info"
