"""The former name of the public clients."""

from __future__ import annotations

import importlib
import sys

import pytest

import ipc.client


def test_the_former_name_works_and_warns() -> None:
    sys.modules.pop("ipc.wsreconnect", None)
    with pytest.warns(DeprecationWarning, match=r"ipc\.client"):
        former = importlib.import_module("ipc.wsreconnect")
    assert former.ReconnectingClient is ipc.client.ReconnectingClient
    assert former.Subscription is ipc.client.Subscription
    assert (former.OPENED, former.LOST, former.GAP) == (
        "client.opened",
        "client.lost",
        "client.gap",
    )
