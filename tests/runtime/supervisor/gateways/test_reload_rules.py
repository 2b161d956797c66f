"""What a changed file means for the gateway: scenarios 50, 51, 53 and 54."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.config.errors import ConfigError
from runtime.config.gateway_model import GatewayConfig, LimitsConfig, ReloadConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.config.load import load_text
from runtime.config.model import Config
from runtime.supervisor.gateways.reload_rules import (
    LIVE,
    PLACE,
    Need,
    decide,
    need,
    need_of_part,
    part_of,
    waiting,
)

OLD = GatewayConfig()
MODES = ("hybrid", "hot", "reload", "restart", "off")


def loaded(reload: Any) -> ReloadConfig:
    """Return what is read from a file with this policy; raises ``ConfigError``."""
    gateway = {"auth": {"token": "t"}} | ({} if reload is None else {"reload": reload})
    return load_text(Path("c.json"), json.dumps({"gateway": gateway})).config.gateway.reload


@pytest.mark.parametrize("reload", [None, {}])
def test_s050_without_a_policy_it_is_hybrid_after_1200_ms(reload: Any) -> None:
    assert loaded(reload) == ReloadConfig(mode="hybrid", debounce_ms=1200)


@pytest.mark.parametrize(
    ("reload", "place"),
    [
        ({"mode": "hybird"}, "gateway.reload.mode"),
        ({"mode": None}, "gateway.reload.mode"),
        ({"mode": 1}, "gateway.reload.mode"),
        ({"debounceMs": "1200"}, "gateway.reload.debounceMs"),
        ({"debounceMs": None}, "gateway.reload.debounceMs"),
        ({"debounce": 1}, "gateway.reload.debounce"),
        ("hybrid", "gateway.reload"),
        ([], "gateway.reload"),
    ],
)
def test_s050_an_odd_policy_is_an_error_with_its_place_and_never_guessed(
    reload: Any, place: str
) -> None:
    """The running state stays as it is then (``test_an_invalid_file_is_reported…``)."""
    with pytest.raises(ConfigError) as found:
        loaded(reload)
    assert [problem.path for problem in found.value.problems] == [place]


@pytest.mark.parametrize("debounce", [-1, 60_001, 1e9, 1.6, float("nan"), float("inf")])
def test_s051_a_debounce_out_of_range_is_an_error(debounce: float) -> None:
    with pytest.raises(ConfigError, match=r"debounceMs"):
        loaded({"debounceMs": debounce})


@pytest.mark.parametrize("debounce", [0, 1, 1200, 60_000])
def test_s051_a_debounce_in_range_counts_as_it_is(debounce: int) -> None:
    assert loaded({"debounceMs": debounce}).debounce_ms == debounce


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("mode", ["restart", "off"])
def test_s053_in_these_modes_a_reload_is_a_restart(mode: str, asked: bool) -> None:
    changed = not asked  # somebody asks, or the file is another
    assert decide(mode, Need.NOTHING, asked=asked, changed=changed) is Need.RESTART
    assert decide(mode, Need.MOVE, asked=asked, changed=changed) is Need.MOVE
    assert decide(mode, Need.NOTHING, asked=False, changed=False) is Need.NOTHING


def test_s053_the_other_modes_do_what_is_needed_or_nothing() -> None:
    for found in Need:
        assert decide("hybrid", found, asked=True, changed=True) is found
        assert decide("hot", found, asked=True, changed=True) is Need.NOTHING
        assert decide("reload", found, asked=True, changed=True) is Need.NOTHING


def test_each_field_is_live_or_of_the_place_or_needs_another_process() -> None:
    other: dict[str, Any] = {
        "port": 1,
        "bind": "lan",
        "command": ["x"],
        "url": "ws://x",
        "reload": ReloadConfig(debounce_ms=1),
        "limits": LimitsConfig(max_clients=1),
        "ready_within_seconds": 1.0,
        "allowed_origins": ["https://x"],
    }
    for name, value in other.items():
        expected = Need.MOVE if name in PLACE else Need.NOTHING if name in LIVE else Need.RESTART
        assert need(OLD, msgspec.structs.replace(OLD, **{name: value})) is expected, name
    assert need(OLD, GatewayConfig()) is Need.NOTHING
    names = {field.name for field in msgspec.structs.fields(GatewayConfig)}
    assert names >= LIVE | PLACE


def test_what_waits_is_said_with_the_command_that_brings_it_in() -> None:
    assert waiting(Need.NOTHING) is None
    for found in (Need.RESTART, Need.MOVE):
        assert "`trunkline gateway restart`" in str(waiting(found))


@pytest.mark.parametrize(
    ("config", "needed"),
    [
        (Config(), Need.NOTHING),
        (Config(canvas_host=CanvasHostConfig(enabled=True)), Need.RESTART),
        (Config(canvas_host=CanvasHostConfig(port=1)), Need.RESTART),
        (Config(gateway=GatewayConfig(port=1)), Need.MOVE),
        (Config(gateway=GatewayConfig(port=1), canvas_host=CanvasHostConfig(port=2)), Need.MOVE),
        (Config(gateway=GatewayConfig(public_url="https://a")), Need.RESTART),
    ],
)
def test_the_canvas_host_is_the_gateways(config: Config, needed: Need) -> None:
    assert need_of_part(part_of(Config()), part_of(config)) is needed


def test_to_compare_resolves_no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every report of figures compares: to resolve the types of all fields takes 0.2 ms."""

    def resolve(*_: object) -> None:
        raise AssertionError("the types of the fields were resolved")

    monkeypatch.setattr(msgspec.structs, "fields", resolve)
    assert need(GatewayConfig(), GatewayConfig(port=4711)) is Need.MOVE
