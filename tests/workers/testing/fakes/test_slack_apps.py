from __future__ import annotations

import itertools

from workers.testing.fakes.slack_apps import Clock, FakeApp, MethodFault, SentEnvelope, shown_text


def test_a_fault_meets_as_many_calls_as_it_is_for() -> None:
    once, ever = MethodFault("a.b", error="x"), MethodFault(times=-1)
    app = FakeApp("1", faults=[once, ever])
    assert [app.fault_for(method) for method in ("c.d", "a.b", "a.b")] == [ever, once, ever]


def test_a_refusal_for_the_rate_has_a_header() -> None:
    limited = MethodFault(retry_after=9).refusal()
    assert limited is not None
    assert (limited.status, limited.headers) == (429, {"Retry-After": "9"})
    missing = MethodFault(error="missing_scope", needed="chat:write").refusal()
    assert missing is not None
    assert missing.body["needed"] == "chat:write"
    assert MethodFault(slow=1).refusal() is None


def test_an_event_is_acknowledged_by_any_of_its_envelopes() -> None:
    first, again = SentEnvelope("Ev1-0", 0, "Ev1"), SentEnvelope("Ev1-1", 1, "Ev1")
    app = FakeApp("1", envelopes=[first, again])
    assert app.acknowledged == set()
    again.acknowledged = 1.0
    assert app.acknowledged == {"Ev1"}


def test_each_message_has_a_time_of_its_own() -> None:
    clock = Clock()
    made = [clock.ts() for _ in range(100)]
    assert all(one < other for one, other in itertools.pairwise(made))


def test_people_see_no_entities() -> None:
    assert shown_text("&lt;b&gt; &amp;amp;") == "<b> &amp;"
