"""Finds the time zone of the host, with its changes to and from summer time."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, tzinfo

LOCALTIME = "/etc/localtime"


def host_zone() -> tzinfo:
    """Return the time zone of the host: that of ``TZ``, else of ``/etc/localtime``.

    Where neither is a zone of the database, it is the distance from UTC that holds now.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # late: few gateways need it

    name = os.environ.get("TZ", "").removeprefix(":")
    with contextlib.suppress(OSError, ValueError, ZoneInfoNotFoundError):
        if name and not name.startswith("/"):
            return ZoneInfo(name)
        with open(name or LOCALTIME, "rb") as file:
            return ZoneInfo.from_file(file)
    return datetime.now().astimezone().tzinfo or UTC
