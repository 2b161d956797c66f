"""What the gateway and its exporter tell each other."""

from __future__ import annotations

import msgspec

from runtime.gateway.telemetry.exchange import Counts, ExporterOrder, ExportSettings


def test_an_order_and_a_report_come_over_as_they_are() -> None:
    settings = ExportSettings("http://c", {"a": "b"}, "bots", 0.5, "1")
    order = ExporterOrder("journal.db", "traces.json", 5, settings)
    counts = Counts(exported=2)
    counts.drop("queue_full", 3)
    counts.drop("queue_full", 4)
    counts.drop("unreachable", 0)
    assert msgspec.json.decode(msgspec.json.encode(order), type=ExporterOrder) == order
    assert msgspec.json.decode(msgspec.json.encode(counts), type=Counts) == counts
    assert counts.dropped == {"queue_full": 7}
