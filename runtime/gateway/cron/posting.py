"""Posts the result of a scheduled job to the job's URL.

Only addresses of the internet are posted to, unless ``cron.allowPrivate`` is set: whoever may add
a job could otherwise make the gateway ask whatever listens in its networks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from workers.web.addresses import wrong_url

SECONDS = 15.0  # that one request may take
WAITS = (2.0, 10.0)  # seconds before it is posted again
PASSING = frozenset({408, 425, 429})  # with all from 500 on: another time it may be taken


async def post(
    url: str,
    payload: dict[str, Any],
    key: str,
    *,
    allow_private: bool,
    waits: Sequence[float] = WAITS,
) -> str | None:
    """Post JSON to a URL; return why that failed, or ``None``.

    A server that is not reached, or refuses for now, is asked again after each of ``waits``.
    ``key`` is the ``Idempotency-Key`` of all tries, also of those after the gateway was killed.
    """
    if problem := wrong_url(url, allow_private):
        return problem
    # aiohttp takes 0.15 s to import, and few gateways have such jobs.
    aiohttp, sessions, faults, tls = await asyncio.to_thread(_modules)
    limits = aiohttp.ClientTimeout(total=SECONDS)
    body = msgspec.json.encode(payload)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    session = sessions.public_session(limits, allow_private=allow_private, behind_proxy=False)
    problem = None
    async with session:
        for wait in (0.0, *waits):
            await asyncio.sleep(wait)
            try:
                async with session.post(
                    url, data=body, headers=headers, allow_redirects=False, ssl=tls
                ) as answer:
                    status = int(answer.status)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                problem = f"the webhook was not reached: {faults.why(error)}"
                continue
            problem = None if 200 <= status < 300 else f"the webhook answered {status}"
            if status < 500 and status not in PASSING:
                break
    return problem


def _modules() -> tuple[Any, Any, Any, Any]:
    from runtime.gateway.http import lean_aiohttp as lean
    from workers.web import faults, public_addresses

    return lean.aiohttp, public_addresses, faults, lean.trusting()
