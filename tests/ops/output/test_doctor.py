"""What the doctor prints."""

from __future__ import annotations

import pytest

from ops.doctor.finding import Finding, Severity
from ops.output.doctor import show_findings, summary

ERROR = Finding("a.b", Severity.ERROR, "it \x1b broke", None, "mend it")
SAME = " " * len("    cure: ")
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


def test_on_a_terminal_words_stay_whole_and_many_alike_are_few(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    many = [
        Finding(
            "accounts.failed",
            Severity.ERROR,
            f"irc:a{n} " + "has failed again " * 6,
            None,
            "x" * 99,
        )
        for n in range(80)
    ]
    show_findings(many, 34)
    assert capsys.readouterr().out.count("[accounts.failed]") == 80
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show_findings(many, 34)
    lines = capsys.readouterr().out.splitlines()
    assert sum("[accounts.failed]" in line for line in lines) == 5
    assert lines[-2].startswith("  … and 75 more of accounts.failed; `trunkline")
    assert lines[-1] == "34 checks: 80 errors"
    for line in lines:
        assert len(line) <= 60 or line.startswith(("    cure: x", "  … and"))


LONG = "trunkline --state-dir /srv/bots/state channels why irc:libera ada"


@pytest.mark.parametrize(
    ("cure", "shown"),
    [
        (
            "make room; journal.keep.days and journal.keep.bytes say what is kept",
            [
                "    cure: make room; journal.keep.days and",
                f"{SAME}journal.keep.bytes say what is kept",
            ],
        ),
        (
            "trunkline up --detach, or trunkline service install",
            ["    cure: trunkline up --detach, or", SAME + "trunkline service install"],
        ),
        (f"see `{LONG}`, then", ["    cure: see", f"{SAME}`{LONG}`,", SAME + "then"]),
        (LONG, [f"    cure: {LONG}"]),
        (
            "trunkline config patch '{gateway: {auth: \"a, b\"}}' in a shell, or edit it",
            [
                "    cure: trunkline config patch '{gateway: {auth: \"a, b\"}}' in a shell,",
                SAME + "or edit it",
            ],
        ),
    ],
)
def test_a_cure_breaks_below_its_beginning_and_its_commands_stay_whole(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    cure: str,
    shown: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    show_findings([Finding("a.b", Severity.ERROR, "broken", None, cure)], 34)
    assert capsys.readouterr().out.splitlines()[2:-1] == shown
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    show_findings([Finding("a.b", Severity.ERROR, "broken", None, cure)], 34)
    assert f"    cure: {cure}" in capsys.readouterr().out.splitlines()


def test_nothing_is_said_to_be_well_only_then() -> None:
    assert summary([], 34) == "34 checks: all is well"
    assert summary([FIXED], 34) == "34 checks: 1 fixed"
    assert summary([Finding("a", Severity.INFO, "x")] * 2, 2) == "2 checks: 2 info"
