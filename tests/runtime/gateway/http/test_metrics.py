"""The figures for Prometheus, as they follow what happens."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from ipc.metrics import Series
from runtime.gateway.http.metrics import Metrics
from tests.support.gateway_rig import GatewayRig, gateway_rig, row
from tests.support.handshakes import challenged
from tests.support.messages import KEY, acked
from tests.support.rawclient import connect_params


async def figures(rig: GatewayRig) -> dict[str, float]:
    """Return all samples of a gateway by their name and labels."""
    text = (await Metrics(rig.parts).text()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pairs = [line.rpartition(" ") for line in lines]
    return {name: float(value) for name, _, value in pairs}


async def test_every_series_is_there_from_the_start_at_zero() -> None:
    async with gateway_rig() as rig:
        found = await figures(rig)
        assert found["trunkline_messages_total"] == 0
        assert found['trunkline_dropped_total{reason="stale"}'] == 0
        assert found['trunkline_accounts{phase="running"}'] == 1
        assert found['trunkline_accounts{phase="failed"}'] == 0
        assert found["trunkline_slow_clients_total"] == 0
        for name in ("crowded", "evicted", "starved"):
            assert found[f"trunkline_{name}_total"] == 0
        assert found["trunkline_unproven_sockets"] == 0
        assert found["trunkline_session"] == 1
        assert found['trunkline_request_seconds_count{method="send"}'] == 0
        assert found['trunkline_refused_total{reason="AUTH_TOKEN_MISMATCH"}'] == 0
        for name in ("depth", "oldest_seconds"):
            assert found[f'trunkline_account_outbox_{name}{{account="irc:libera"}}'] == 0
        for name in ("open", "full", "commits_total", "waiting_bytes", "bytes"):
            assert found[f"trunkline_journal_{name}"] == 0
        for outcome in ("ok", "error", "skipped"):
            assert found[f'trunkline_cron_runs_total{{outcome="{outcome}"}}'] == 0
        assert "trunkline_gateway_process_resident_memory_bytes" in found


async def test_requests_messages_and_refusals_are_counted() -> None:
    async with gateway_rig() as rig:
        before = await figures(rig)
        worker, watcher = await rig.worker(KEY), await rig.watcher()
        worker.say(1)
        await acked(worker, 1)
        with pytest.raises(RemoteError):
            await watcher.call("no.such.method")
        stranger = await challenged(rig)
        await stranger.call("connect", connect_params("wrong"))
        after = await figures(rig)

        def grown(name: str) -> float:
            return after[name] - before.get(name, 0)

        assert grown("trunkline_messages_total") == 1
        assert grown("trunkline_deliveries_total") == 1
        assert grown("trunkline_clients") == 1
        assert grown("trunkline_request_failures_total") == 1
        refused = [value for name, value in after.items() if "trunkline_refused_total{" in name]
        assert sum(refused) == 1
        sent = "trunkline_client_sent_bytes_total"
        assert after[sent] > before[sent]


async def test_the_supervisors_own_figures_are_passed_on() -> None:
    async with gateway_rig() as rig:
        samples = [({"name": "zygote"}, 3.0)]
        series = Series("trunkline_restarts", "counter", "Restarts.", samples)
        await rig.report(row(KEY), metrics=[series])
        assert (await figures(rig))['trunkline_restarts_total{name="zygote"}'] == 3


async def test_how_long_requests_took_is_told_by_method() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        await client.call("health")
        await client.call("events.subscribe", {})
        with pytest.raises(RemoteError):
            await client.call("send", {})
        found = await figures(rig)
        for name in ("health", "events.subscribe", "send"):
            labels = f'{{method="{name}"}}'
            assert found[f"trunkline_request_seconds_count{labels}"] == 1
            assert 0 < found[f"trunkline_request_seconds_sum{labels}"] < 60
            assert found[f'trunkline_request_seconds_bucket{{method="{name}",le="+Inf"}}'] == 1
