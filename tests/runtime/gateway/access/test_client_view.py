"""What the lower rooms need of a client, the real ones have."""

from __future__ import annotations

import inspect

import pytest

from runtime.gateway.access.client_view import ClientView, WaitingAdmission
from runtime.gateway.clients.admission import Admission
from tests.support.devices import Key, paired
from tests.support.gateway_rig import gateway_rig


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


async def test_a_connected_client_has_all_that_a_view_shows() -> None:
    async with gateway_rig() as rig:
        key = Key()
        await paired(rig, key)
        (client,) = [each for each in rig.parts.hub.clients if each.device == key.id]
        assert members(ClientView) >= {"connection", "device", "send_event"}
        for name in members(ClientView):
            assert getattr(client, name) is not None, name
        assert (client.role, client.protocol, client.address) == ("operator", 4, "127.0.0.1")


@pytest.mark.parametrize("name", sorted(members(WaitingAdmission)))
def test_an_admission_can_be_let_in_or_turned_away(name: str) -> None:
    assert list(inspect.signature(getattr(Admission, name)).parameters) == ["self"]
