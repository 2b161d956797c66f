"""Defines the whole configuration file: its sections, each with the module that has its fields.

The shape follows ``openclaw.json``, so that its users feel at home. Only types, ranges, defaults
and what each field means are there; ``accounts`` puts an account together from its channel. A time
or size has its unit in its name. In the file the names are camelCase.
"""

from typing import Annotated, Any

from msgspec import Meta

from ipc.hidden_fields import hide_fields
from runtime.config.fields import Section
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig, IngressConfig
from runtime.config.sessions import BindingConfig, CommandsConfig, QueueConfig, SessionConfig
from runtime.config.storage_model import JournalConfig, LoggingConfig, MediaConfig
from runtime.config.supervisor_model import SupervisorConfig
from runtime.config.timers import CronConfig, HooksConfig

# What an agent may be called is checked with its entry (``runtime.config.agents``).
AgentName = Annotated[str, Meta(min_length=1, max_length=64)]


@hide_fields("entries")
class AgentsConfig(Section, frozen=True):
    """Which agents there are, and which one answers: ``default`` is for accounts that name none.

    The fields of an entry are its kind's; see ``agents``.
    """

    default: Annotated[
        AgentName,
        Meta(
            description="The agent that answers accounts that name none; `none` leaves that to "
            "the gateway's clients."
        ),
    ] = "echo"
    max_concurrent: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Meta(description="Turns of all agents together that run at the same time; others wait."),
    ] = 100
    entries: Annotated[
        dict[str, dict[str, Any]] | None,
        Meta(
            description="The agents by id; without it there is one, `echo`, which repeats every "
            "message."
        ),
    ] = None


@hide_fields("channels")
class Config(Section, frozen=True):
    """The whole file. The fields of a channel are its manifest's; see ``accounts``."""

    gateway: Annotated[
        GatewayConfig,
        Meta(description="The WebSocket and HTTP server for clients."),
    ] = GatewayConfig()
    channels: Annotated[
        dict[str, dict[str, Any]], Meta(description="The channels by name, each with its accounts.")
    ] = {}
    agents: Annotated[
        AgentsConfig, Meta(description="Which agents there are, and which one answers.")
    ] = AgentsConfig()
    session: Annotated[
        SessionConfig,
        Meta(description="Which messages belong to one conversation, and when it begins anew."),
    ] = SessionConfig()
    bindings: Annotated[
        list[BindingConfig],
        Meta(
            description="Which agent answers which messages; the most specific entry counts, of "
            "equal ones the first."
        ),
    ] = []
    queue: Annotated[
        QueueConfig,
        Meta(
            description="What happens to messages that arrive while an agent answers an earlier "
            "one."
        ),
    ] = QueueConfig()
    commands: Annotated[
        CommandsConfig,
        Meta(description="Commands that people write to an account, such as `/new`."),
    ] = CommandsConfig()
    cron: Annotated[
        CronConfig, Meta(description="Scheduled jobs, which `trunkline cron add` makes.")
    ] = CronConfig()
    hooks: Annotated[
        HooksConfig, Meta(description="HTTP requests that wake an agent, or give it a turn.")
    ] = HooksConfig()
    supervisor: Annotated[
        SupervisorConfig, Meta(description="How processes are watched, limited and restarted.")
    ] = SupervisorConfig()
    journal: Annotated[JournalConfig, Meta(description="The stored messages of accounts.")] = (
        JournalConfig()
    )
    media: Annotated[
        MediaConfig,
        Meta(
            description="The files of messages; a change restarts the accounts whose channel "
            "has files."
        ),
    ] = MediaConfig()
    ingress: Annotated[
        IngressConfig, Meta(description="The limits of HTTP requests to accounts.")
    ] = IngressConfig()
    canvas_host: Annotated[
        CanvasHostConfig, Meta(description="The pages and files that nodes and browsers show.")
    ] = CanvasHostConfig()
    logging: Annotated[
        LoggingConfig, Meta(description="What is written to the logs, and how much of it.")
    ] = LoggingConfig()
