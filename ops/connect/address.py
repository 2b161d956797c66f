"""Where a gateway is and how to be let in: a value that those who look for it and those who
connect to it share.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a gateway listens and what it wants to hear.

    ``certificate`` is the file of our own gateway whose port is encrypted.
    """

    url: str
    token: str | None = None
    password: str | None = None
    certificate: str | None = None
