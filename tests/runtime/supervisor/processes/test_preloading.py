"""What is imported beforehand and where, and what an operator reads of it: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.config.supervisor_model import AccountLimitsConfig
from runtime.supervisor.processes.preloading import (
    FILES,
    RENDERER,
    ChannelPlan,
    ImportReport,
    PreloadPlan,
    imported_alone,
    imported_in,
    importing_for,
    is_worth_keeping,
    obstacle,
    plan,
    report_of,
    retry_after,
)
from tests.support.accounts import agent_of, spec_of
from workers.agents.echo import manifest as echo
from workers.channels.local import manifest
from workers.plugin import Media
from workers.text.limits import Text

LOCAL = ["workers.channels.local", "workers.channels.local.plugin"]
OURS = replace(manifest, id="bot", plugin="bot.plugin:Plugin")


def bot(account: str = "a", **fields: Any) -> Any:
    given = {"manifest": OURS, "manifest_ref": "bot:manifest"}
    return spec_of(f"bot:{account}", **(given | fields))


def thinker(id: str) -> Any:
    kind = replace(echo, id="think", agent="think.agent:Think")
    return agent_of(id, manifest=kind, manifest_ref="think:manifest", limits=limited(None))


def late(id: str) -> Any:
    kind = replace(echo, id="think", agent="think.agent:Think", late=("think.sdk",))
    return agent_of(id, manifest=kind, manifest_ref="think:manifest", limits=limited(None))


def limited(memory: int | None) -> AccountLimitsConfig:
    return AccountLimitsConfig(memory_soft_bytes=None, memory_hard_bytes=memory)


BOT = ("bot", "bot.plugin")
A, B = "bot:a", "bot:b"
PLANS: dict[str, tuple[list[Any], PreloadPlan]] = {
    "no account": ([], PreloadPlan()),
    "a channel of our own": ([spec_of()], PreloadPlan(LOCAL)),
    "an agent of our own": (
        [agent_of()],
        PreloadPlan(["workers.agents.echo", "workers.agents.echo.agent"]),
    ),
    "two agents of a kind of others": (
        [thinker("a"), thinker("b")],
        PreloadPlan(
            [],
            {
                "agent:think": ChannelPlan(
                    ("think", "think.agent"), frozenset({"agent:a", "agent:b"}), None
                )
            },
        ),
    ),
    "an agent that imports its SDK with the first turn": (
        [late("a")],
        PreloadPlan(
            [], {"agent:think": ChannelPlan(("think", "think.agent"), frozenset({"agent:a"}), None)}
        ),
    ),
    "two of them, which share it": (
        [late("a"), late("b")],
        PreloadPlan(
            [],
            {
                "agent:think": ChannelPlan(
                    ("think", "think.sdk", "think.agent"),
                    frozenset({"agent:a", "agent:b"}),
                    None,
                )
            },
        ),
    ),
    "a channel of others": (
        [bot(limits=limited(7 << 20))],
        PreloadPlan([], {"bot": ChannelPlan(BOT, frozenset({A}), 7 << 20)}),
    ),
    "the largest of its accounts counts": (
        [bot("a", limits=limited(50 << 20)), bot("b", limits=limited(90 << 20))],
        PreloadPlan([], {"bot": ChannelPlan(BOT, frozenset({A, B}), 90 << 20)}),
    ),
    "one of its accounts has no bound": (
        [bot("a", limits=limited(50 << 20)), bot("b", limits=limited(None))],
        PreloadPlan([], {"bot": ChannelPlan(BOT, frozenset({A, B}), None)}),
    ),
    "one that shares nothing is not counted": (
        [bot("a", limits=limited(None)), bot("b", launcher="exec")],
        PreloadPlan([], {"bot": ChannelPlan(BOT, frozenset({A}), None)}),
    ),
    "those that cannot start": (
        [spec_of(enabled=False), bot("a", configured=False), bot("b", launcher="exec")],
        PreloadPlan(),
    ),
    "a channel of ours that needs more than we are installed with": (
        [spec_of(manifest=replace(manifest, extra=("sdk",)), limits=limited(None))],
        PreloadPlan([], {"local": ChannelPlan(tuple(LOCAL), frozenset({"local:demo"}), None)}),
    ),
    "one that has markup": (
        [bot(manifest=replace(OURS, text=Text(dialect="html")), limits=limited(None))],
        PreloadPlan([RENDERER], {"bot": ChannelPlan(BOT, frozenset({A}), None)}),
    ),
    "one that has files": (
        [bot(manifest=replace(OURS, media=Media(receive=True)), limits=limited(None))],
        PreloadPlan([FILES], {"bot": ChannelPlan(BOT, frozenset({A}), None)}),
    ),
    "a plugin in the module of its manifest": (
        [bot(manifest=replace(OURS, plugin="bot:Plugin"), limits=limited(None))],
        PreloadPlan([], {"bot": ChannelPlan(("bot",), frozenset({A}), None)}),
    ),
}


@pytest.mark.parametrize("case", PLANS)
def test_what_is_imported_for_which_accounts(case: str) -> None:
    accounts, expected = PLANS[case]
    assert plan(accounts) == expected


def test_the_plugin_is_the_last_of_the_modules() -> None:
    assert ChannelPlan(BOT, frozenset()).plugin == "bot.plugin"


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ({}, None),
        ({"bytes": 1 << 40}, None),
        ({"threads": 1}, "it starts a thread, which a fork would lack"),
        ({"threads": 3}, "it starts 3 threads, which a fork would lack"),
        ({"sound": False}, "it breaks every process that is forked after it"),
        ({"error": "ImportError: no"}, "it fails: ImportError: no"),
        ({"error": "ImportError: no", "threads": 1}, "it fails: ImportError: no"),
    ],
)
def test_what_keeps_accounts_from_being_forked(report: dict[str, Any], why: str | None) -> None:
    assert obstacle(report_of({"seconds": 0.1, **report})) == why


@pytest.mark.parametrize("said", [{}, [], {"seconds": "x"}, {"seconds": 1.0, "error": 3}])
def test_what_is_no_report_is_refused(said: Any) -> None:
    with pytest.raises(ValueError, match=r"Expected|missing"):
        report_of(said)


@pytest.mark.parametrize(
    ("accounts", "seconds", "kept"),
    [(1, 0.0, False), (1, 0.99, False), (1, 1.0, True), (2, 0.0, True), (20, 9.0, True)],
)
def test_the_zygote_of_a_single_account_is_kept_only_where_importing_takes_long(
    accounts: int, seconds: float, kept: bool
) -> None:
    assert is_worth_keeping(accounts, seconds) is kept


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 60), (2, 120), (6, 1920), (7, 3600), (10_000, 3600)]
)
def test_a_failed_import_is_tried_again_ever_later(failures: int, seconds: float) -> None:
    assert retry_after(failures) == seconds


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (importing_for("bot.plugin", 4.9), None),
        (
            importing_for("bot.plugin", 5.0),
            "the import of bot.plugin has taken 5 s so far: the accounts of its channel wait for"
            " it, 60 s at most; others do not",
        ),
        (imported_in("bot.plugin", ImportReport(4.9, (256 << 20) - 1)), None),
        (
            imported_in("bot.plugin", ImportReport(20.14)),
            "the import of bot.plugin took 20.1 s, for which the first accounts of its channel"
            " waited",
        ),
        (
            imported_in("bot.plugin", ImportReport(1.0, 500 << 20)),
            "the import of bot.plugin took 500 MiB of memory, which the accounts of its channel"
            " share",
        ),
        (
            imported_in("bot.plugin", ImportReport(6.0, 500 << 20)),
            "the import of bot.plugin took 6.0 s, for which the first accounts of its channel"
            " waited and 500 MiB of memory, which the accounts of its channel share",
        ),
        (
            imported_alone("bot.plugin", "it fails: ImportError: no", 0.23),
            "bot.plugin is not imported for all accounts of its channel together: it fails:"
            " ImportError: no (seen after 0.2 s); each imports it alone now, with more time and"
            " memory",
        ),
    ],
)
def test_each_state_of_an_import_has_its_sentence(
    sentence: str | None, expected: str | None
) -> None:
    assert sentence == expected
