from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from ipc.frames.status import DROP_REASONS, RESTART_REASONS, AccountStatus
from ipc.frames.words import Phase
from ipc.metrics import Series, counter, gauge, histogram, of_accounts, of_agents, text


def test_the_text_is_what_prometheus_reads() -> None:
    odd = 'a"b\\c\nd'
    series = [
        counter("restarts", "How often.", 3),
        gauge("share", "How well.", 0.25),
        Series("trunkline_odd", "gauge", "Odd labels.", [({"account": odd}, 1.0)]),
    ]
    families = {family.name: family for family in text_string_to_metric_families(text(series))}
    assert families["trunkline_restarts"].samples[0].name == "trunkline_restarts_total"
    assert families["trunkline_restarts"].samples[0].value == 3
    assert families["trunkline_share"].samples[0].value == 0.25
    assert families["trunkline_odd"].samples[0].labels == {"account": odd}


def test_an_account_has_its_figures_and_none_that_are_unknown() -> None:
    row = AccountStatus("irc:a", "irc", "a", phase="backoff", next_try_at=12_000)
    found = {series.name: series.samples for series in of_accounts([row], now=10.0)}
    assert found["trunkline_account_backoff_seconds"] == [({"account": "irc:a"}, 2.0)]
    assert found["trunkline_account_up"] == [({"account": "irc:a"}, 0.0)]
    assert found["trunkline_account_rss_bytes"] == []


def test_restarts_are_told_by_reason_and_every_reason_is_there_from_the_start() -> None:
    new, old = (
        AccountStatus("irc:new", "irc", "new"),
        AccountStatus("irc:old", "irc", "old", restarts=4, restart_reasons={"killed": 3}),
    )
    (found,) = [one for one in of_accounts([new, old], 10.0) if one.name.endswith("_restarts")]
    (family,) = text_string_to_metric_families(text([found]))
    values = {
        (sample.labels["account"], sample.labels["reason"]): sample.value
        for sample in family.samples
    }
    assert {sample.name for sample in family.samples} == {"trunkline_account_restarts_total"}
    assert {reason for _, reason in values} == set(RESTART_REASONS)
    assert len(values) == 2 * len(RESTART_REASONS)
    assert values["irc:old", "killed"] == 3.0
    assert sum(values.values()) == 3.0


def test_an_agent_has_figures_of_its_own_by_its_id() -> None:
    row = AccountStatus("agent:main", "agent", "main", phase="running", rss_bytes=5)
    found = {series.name: series.samples for series in of_agents([row], now=10.0)}
    assert found["trunkline_agent_up"] == [({"agent": "main"}, 1.0)]
    assert found["trunkline_agent_rss_bytes"] == [({"agent": "main"}, 5.0)]
    assert not any("account" in name for name in found)


def test_a_histogram_has_buckets_that_add_up_a_sum_and_a_count() -> None:
    made = histogram("took", "How long.", "method", (0.1, 1.0), {"send": [2, 1, 1, 7.5]})
    (family,) = text_string_to_metric_families(text([made]))
    assert family.type == "histogram"
    found = {(each.name, each.labels.get("le")): each.value for each in family.samples}
    assert found == {
        ("trunkline_took_bucket", "0.1"): 2,
        ("trunkline_took_bucket", "1.0"): 3,
        ("trunkline_took_bucket", "+Inf"): 4,
        ("trunkline_took_sum", None): 7.5,
        ("trunkline_took_count", None): 4,
    }


def test_an_account_has_every_figure_that_an_alert_needs() -> None:
    plugin = {"lastEventAt": 4000, "lastTransportActivityAt": 7000, "lastConnectedAt": "?"}
    row = AccountStatus(
        account="irc:a",
        channel="irc",
        account_id="a",
        phase="running",
        health="degraded: silent",
        cpu_percent=150.0,
        messages_in=3,
        queued=2,
        dropped={"duplicate": 1, "of a plugin": 4},
        plugin=plugin,
    )
    found = {series.name: series.samples for series in of_accounts([row], now=10.0)}

    def one(name: str) -> float:
        ((labels, value),) = found[f"trunkline_account_{name}"]
        assert labels == {"account": "irc:a"}
        return value

    assert [one(name) for name in ("up", "healthy", "held")] == [1, 0, 0]
    assert [one(name) for name in ("cpu_ratio", "messages_in", "messages_out")] == [1.5, 3, 0]
    assert [one(name) for name in ("queued", "activity_seconds")] == [2, 3]
    phases = {labels["phase"]: value for labels, value in found["trunkline_account_phase"]}
    assert phases == {phase.value: phase is Phase.RUNNING for phase in Phase}
    dropped = {labels["reason"]: value for labels, value in found["trunkline_account_dropped"]}
    assert dropped == dict.fromkeys(DROP_REASONS, 0) | {"duplicate": 1, "other": 4}


def test_an_agent_has_the_turns_that_it_answers() -> None:
    rows = [
        AccountStatus("agent:a", "agent", "a", plugin={"activeRuns": 2}),
        AccountStatus("agent:b", "agent", "b", plugin={"activeRuns": "x"}),
    ]
    found = {series.name: series.samples for series in of_agents(rows, now=10.0)}
    assert [value for _, value in found["trunkline_agent_turns"]] == [2, 0]
