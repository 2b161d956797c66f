"""Fills the table of methods: some families at once, the others at their first request.

Thirty families take 15 ms of each start and 2 MiB, and a gateway is asked for few of them. At once
come those that the supervisor needs, health, and methods that only one of the protocols has. The
names of all others stand in ``LATE``, for the hello: a family is imported with the first request
for one of its methods.
"""

from __future__ import annotations

import importlib

from runtime.gateway.clients.method_table import register_late
from runtime.gateway.methods import node_pairs, status, supervisor

__all__ = ["LATE", "node_pairs", "status", "supervisor"]

LATE = {
    "access": "channels.access",
    "agent": "agent agent.wait",
    "agents": "agents.list agent.identity.get",
    "attached": "agents.attach agents.detach agents.turn.events agents.turn.end",
    "attention": "attention",
    "catalogs": "models.list commands.list tools.catalog chat.metadata",
    "channels": "channels.status channels.start channels.stop channels.restart channels.logout",
    "chat": "chat.send chat.abort chat.inject",
    "config": (
        "config.get config.set config.apply config.patch config.schema config.schema.lookup "
        "config.validate"
    ),
    "cron": ("cron.status cron.list cron.get cron.add cron.update cron.remove cron.run cron.runs"),
    "deadletters": "deadletters.list deadletters.show deadletters.retry deadletters.discard",
    "devices": (
        "device.pair.list device.pair.approve device.pair.reject device.pair.remove "
        "device.pair.rename device.token.rotate device.token.revoke"
    ),
    "events": "events.subscribe",
    "heartbeats": "wake set-heartbeats last-heartbeat",
    "history": "chat.history chat.startup chat.message.get",
    "local": "local.say",
    "login": "channels.login channels.login.answer web.login.start web.login.wait",
    "media": "media.ticket",
    "send": "send",
    "message": "message.action",
    "messages": "messages.forget",
    "message_outcomes": "messages.outcomes",
    "metrics": "metrics.history",
    "nodes": (
        "node.list node.describe node.rename node.invoke node.invoke.result "
        "node.pluginSurface.refresh node.event"
    ),
    "people": (
        "channels.pairing.list channels.pairing.approve channels.pairing.dismiss "
        "channels.pairing.block channels.pairing.unblock channels.why"
    ),
    "poll": "poll",
    "presence": "system-presence system-event gateway.clients",
    "recent_messages": "messages.recent",
    "session_compact": "sessions.compact",
    "session_reports": "sessions.search sessions.usage",
    "sessions": ("sessions.list sessions.resolve sessions.describe sessions.get sessions.preview"),
    "session_changes": "sessions.patch sessions.reset sessions.delete sessions.abort",
    "session_talk": (
        "sessions.create sessions.send sessions.subscribe sessions.messages.subscribe "
        "sessions.messages.unsubscribe"
    ),
    "supervised": (
        "channels.describe channels.events channels.logs channels.holds "
        "channels.start.unknown channels.reset channels.drain changes.list gateway.restart.request "
        "gateway.restart secrets.reload shutdown supervisor.warnings"
    ),
    "trace": "messages.trace",
}


def _import(family: str) -> None:
    importlib.import_module(f"{__name__}.{family}")


for _family, _names in LATE.items():
    register_late(_family, _names.split(), _import)
