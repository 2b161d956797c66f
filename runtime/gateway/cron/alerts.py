"""Sends alerts to a person about scheduled jobs that failed several times in a row."""

from __future__ import annotations

import structlog

from ipc.errors import RemoteError
from runtime.gateway.conversations.session_keys import main_key
from runtime.gateway.cron.job_types import JobDelivery, ScheduledJob
from runtime.gateway.cron.links import NoRoute, TimerLinks
from runtime.gateway.cron.outcomes import CronAlert
from runtime.gateway.cron.posting import post
from workers.messages import Outbound

log = structlog.get_logger("gateway.cron")


class Alerts:
    """Sends the alerts of scheduled jobs; one that cannot be sent is logged."""

    def __init__(self, links: TimerLinks) -> None:
        self._links = links

    async def send(
        self, job: ScheduledJob, alert: CronAlert, run: str, allow_private: bool
    ) -> None:
        """Send an alert to its own target, else to the job's, once per run."""
        try:
            problem = await self._send(job, alert, f"cron-alert:{run}", allow_private)
        except (NoRoute, RemoteError) as error:
            problem = str(error)
        if problem is not None:
            log.warning("an alert was not sent", job=job.id, text=alert.text, error=problem)

    async def _send(
        self, job: ScheduledJob, alert: CronAlert, key: str, allow_private: bool
    ) -> str | None:
        delivery = job.delivery if isinstance(job.delivery, JobDelivery) else JobDelivery()
        to = alert.to or _text(delivery.to)
        if alert.mode == "webhook":
            payload = {"jobId": job.id, "jobName": job.name, "text": alert.text}
            return await post(to or "", payload, key, allow_private=allow_private)
        agent = self._links.agent_of(job)
        target = await self._links.target(
            agent,
            main_key(agent),
            alert.channel or _text(delivery.channel),
            to,
            alert.account or _text(delivery.account_id),
        )
        message = Outbound(to=target.to, text=alert.text, key=key, thread=target.thread)
        await self._links.outbox.send(target.account, message, queue=True)
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
