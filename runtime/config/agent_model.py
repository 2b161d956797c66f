"""Defines the fields that every agent has beside those of its kind, and finds the entries. Pure.

The range of each field, its default and why that default; ``agents`` puts an agent together.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from runtime.config.account_model import Launcher, LimitFields, Proxy, RestartFields
from runtime.config.fields import Seconds, Section, Text
from runtime.config.model import AgentsConfig
from runtime.config.timers import HeartbeatConfig
from workers.plugin import LOCAL

RepeatMode = Literal["unseen", "always", "never"]

ENTRIES = "agents.entries"  # where they stand in the file
NOBODY = "none"  # instead of an agent's id: the gateway's clients answer
IMPLICIT: Mapping[str, Mapping[str, Any]] = {"echo": {"kind": "echo"}}  # where none are listed


class AgentConfig(Section, frozen=True):
    """The fields that every agent has, beside those of its kind."""

    kind: Annotated[
        Text,
        Meta(
            description="What kind of agent it is: a built-in one, or that of an installed package."
        ),
    ]
    enabled: Annotated[bool, Meta(description="Whether the agent runs.")] = True
    name: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(description="The name shown beside the id; without it only the id."),
    ] = None
    repeat: Annotated[
        RepeatMode,
        Meta(
            description="Whether a turn whose agent died is repeated: unless a part of the "
            "answer was shown (unseen), always, or never."
        ),
    ] = "unseen"
    timeout_seconds: Annotated[
        Seconds, Meta(description="Seconds after which a turn is ended.")
    ] = 600.0
    max_concurrent: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None,
        Meta(
            description="Turns of it that run at the same time; without it "
            "`agents.maxConcurrent`, or three quarters of that if there are several "
            "agents."
        ),
    ] = None
    heartbeat: Annotated[
        HeartbeatConfig | None,
        Meta(
            description="When it is asked regularly whether anything needs attention; without "
            "it only after an event."
        ),
    ] = None
    restart: RestartFields = {}
    limits: LimitFields = {}
    launcher: Launcher = "zygote"
    confine: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether an `exec` agent is restricted to its own files and the "
            "interpreter's (Landlock); not every SDK works with it, and not every "
            "kernel has it."
        ),
    ] = False
    proxy: Proxy = None


def entries_of(agents: AgentsConfig) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries by id: those of the file, or the default one if there are none."""
    return IMPLICIT if agents.entries is None else agents.entries
