"""Provides the former name of ``ipc.client``, with a warning, until the next release."""

from __future__ import annotations

import warnings

from ipc.client import ReconnectingClient, Subscription
from ipc.websocket.reconnecting import GAP, LOST, OPENED

__all__ = ["GAP", "LOST", "OPENED", "ReconnectingClient", "Subscription"]

warnings.warn("ipc.wsreconnect is now ipc.client", DeprecationWarning, stacklevel=2)
