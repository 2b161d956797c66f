"""Posts the result of a scheduled job to the address that the job names.

Only addresses of the internet are posted to, unless ``cron.allowPrivate`` is set: whoever may add
a job could otherwise make the gateway ask whatever listens in its networks.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from workers.web.addresses import wrong_url

SECONDS = 15.0  # that one request may take


async def post(url: str, payload: dict[str, Any], key: str, *, allow_private: bool) -> str | None:
    """Post JSON to an address; return why that failed, ``None`` when the server took it.

    ``key`` is its ``Idempotency-Key``: a result may be posted again after the gateway was killed.
    """
    if problem := wrong_url(url, allow_private):
        return problem
    # aiohttp takes 0.15 s to import, and few gateways have such jobs.
    aiohttp, sessions, faults, tls = await asyncio.to_thread(_modules)
    limits = aiohttp.ClientTimeout(total=SECONDS)
    body = msgspec.json.encode(payload)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    session = sessions.public_session(limits, allow_private=allow_private, behind_proxy=False)
    async with session:
        try:
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False, ssl=tls
            ) as answer:
                status = int(answer.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return f"the webhook was not reached: {faults.why(error)}"
    return None if 200 <= status < 300 else f"the webhook answered {status}"


def _modules() -> tuple[Any, Any, Any, Any]:
    from runtime.gateway.http import lean_aiohttp as lean
    from workers.web import faults, public_addresses

    return lean.aiohttp, public_addresses, faults, lean.trusting()
