"""The shape of findings."""

from __future__ import annotations

from ops.doctor.finding import Finding, Severity, ordered


def test_the_worst_come_first_and_the_rest_stays_in_order() -> None:
    severities = [Severity.INFO, Severity.ERROR, Severity.WARNING, Severity.ERROR]
    found = [Finding(f"c.{n}", severity, "x") for n, severity in enumerate(severities)]
    assert [each.check for each in ordered(found)] == ["c.1", "c.3", "c.2", "c.0"]


def test_json_has_only_what_there_is() -> None:
    bare = Finding("a.b", Severity.INFO, "x").to_json()
    assert bare == {"checkId": "a.b", "severity": "info", "message": "x", "fixed": False}
    whole = Finding("a.b", Severity.ERROR, "x", "/p", "do", fixed="done").to_json()
    assert (whole["path"], whole["fixHint"], whole["fixed"]) == ("/p", "do", True)
