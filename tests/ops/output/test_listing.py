"""Which rows are shown, in which order, and what their sum is."""

from __future__ import annotations

from typing import Any

import pytest

from ops.exits import OperatorError, UsageFailure
from ops.output.listing import (
    FILTERS,
    ORDERS,
    check_names,
    check_order,
    condition,
    ordered,
    summary,
    terms,
)

LOGIN = {"prompt": "1", "kind": "qr"}


def row(key: str, phase: str = "running", **fields: Any) -> dict[str, Any]:
    return {"account": key, "channel": key.partition(":")[0], "phase": phase, **fields}


ROWS = [
    row("a:fine", health="ok", rssBytes=30, messagesIn=5, readyAt=200),
    row("a:off", "stopped", enabled=False),
    row("b:held", "stopped", hold={"at": 1}),
    row("b:stopping", "stopping"),
    row("b:sick", health="degraded: silent", rssBytes=50, readyAt=100),
    row("c:login", "starting", login=LOGIN, todo="scan it"),
    row("c:waits", "backoff", cause="crashed", failures=3),
    row("c:gone", "failed", cause="misconfigured"),
]


def keys(rows: Any) -> list[str]:
    return [each["account"].partition(":")[2] for each in rows]


def test_the_worst_come_first_and_what_is_switched_off_last() -> None:
    worst = ["gone", "waits", "login", "sick", "stopping", "held", "fine", "off"]
    assert keys(ordered(ROWS, "worst")) == worst
    assert keys(ordered(ROWS[::-1], "worst")) == worst


@pytest.mark.parametrize(
    ("order", "first"),
    [("account", "fine"), ("rss", "sick"), ("in", "fine"), ("uptime", "sick"),
     ("failures", "waits"), ("phase", "waits"), ("cause", "fine")],
)  # fmt: skip
def test_figures_descend_and_words_ascend(order: str, first: str) -> None:
    assert keys(ordered(ROWS, order))[0] == first


def test_numbers_in_names_are_numbers() -> None:
    names = ["a:2", "a:10", "a:10b", "a:b", "b:1"]
    assert [
        each["account"] for each in ordered([row(key) for key in names[::-1]], "account")
    ] == names


def test_every_order_takes_rows_that_lack_its_field() -> None:
    for order in ORDERS:
        check_order(order)
        assert len(ordered([row("a:b"), {"account": "a:c"}], order)) == 2
    with pytest.raises(UsageFailure, match="--sort takes worst, account"):
        check_order("size")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], keys(ROWS)),
        (["phase=backoff"], ["waits"]),
        (["phase=backoff,phase=failed"], ["waits", "gone"]),
        (["phase=stopped", "channel=b"], ["held"]),
        (["channel=c,phase!=failed"], ["login", "waits"]),
        (["account=*s*k"], ["sick"]),
        (["health=degraded*"], ["sick"]),
        (["enabled=no"], ["off"]),
        (["held=yes"], ["held"]),
        (["cause="], ["fine", "off", "held", "stopping", "sick", "login"]),
        (["phase!=running, phase!=stopped"], ["stopping", "login", "waits", "gone"]),
    ],
)
def test_filters_choose_rows(texts: list[str], found: list[str]) -> None:
    assert keys(filter(condition(terms(texts)), ROWS)) == found


@pytest.mark.parametrize("text", ["phase", "colour=red", "", "=x", "phase!backoff", ","])
def test_what_is_no_filter_is_refused_with_the_fields_that_there_are(text: str) -> None:
    with pytest.raises(UsageFailure, match=f"FIELD=VALUE with {', '.join(FILTERS)}"):
        terms([text])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "phase=runing",
            "--filter phase= takes stopped, starting, running, stopping, backoff, fai",
        ),
        ("phase!=up", "--filter phase= takes stopped, "),
        ("enabled=true", "--filter enabled= takes yes, no; not 'true'"),
        ("held=", "--filter held= takes yes, no; not ''"),
    ],
)
def test_a_value_that_its_field_never_has_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageFailure, match=sentence):
        terms([f"cause=x,{text}"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("channel=d", "unknown channel 'd'; known: a, agent, b, c"),
        ("channel!=d", "unknown channel 'd'"),
        ("account=a:fin", "unknown account 'a:fin' .did you mean a:fine.*; known: a:fine, a:off"),
        ("agent=echo", "unknown agent 'echo'; known: main, none"),
        *((known, None) for known in ("channel=a", "channel=d*", "account=a:?", "agent=main")),
        *((free, None) for free in ("name=d", "cause=d", "health=d", "channel=")),
    ],
)
def test_a_name_that_no_row_has_is_an_error(text: str, sentence: str | None) -> None:
    rows = [{"agent": "none"} | each for each in (*ROWS, row("agent:main"))]
    if sentence is None:
        check_names(terms([text]), rows)
    else:
        with pytest.raises(OperatorError, match=sentence):
            check_names(terms([text]), rows)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (ROWS, "8 accounts: 1 failed, 1 in backoff, 1 starting, 1 stopping, 2 stopped, 2 running"
               " (1 degraded)"),
        (ROWS[:1], "1 account: 1 running"),
        ([row("a:b", "elsewhere")], "1 account"),
        ([], "0 accounts"),
        ([ROWS[4], ROWS[2]], "2 accounts: 1 stopped, 1 running (1 degraded)"),
    ],
)  # fmt: skip
def test_one_line_sums_the_rows_up(rows: list[dict[str, Any]], line: str) -> None:
    assert summary(rows) == line
