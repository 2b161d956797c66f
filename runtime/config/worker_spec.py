"""Defines the specification of a worker, of an account or an agent. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.words import AGENT
from ipc.hidden_fields import hide_fields
from runtime.config.account_model import Launcher
from runtime.config.supervisor_model import (
    AccountLimitsConfig,
    HealthMonitorConfig,
    LoginConfig,
    RestartConfig,
)
from workers.agent import AgentManifest
from workers.plugin import Manifest

_LOGIN = LoginConfig()


@hide_fields("config")
class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One worker with all fields, and the reason why it cannot run, if any.

    Its key is ``channel:account_id``; ``channel`` is the word ``agent`` for an agent. ``config``
    holds the fields that are set of its channel, or of its kind of agent, secrets as references.
    ``reason`` is why it is not enabled or not configured, and ``unusable`` that the latter is the
    fault of a package or an interpreter: its fields may be right. ``fingerprint`` changes exactly
    when the worker would see something else, so that a reload restarts nothing in vain.
    """

    key: str
    channel: str
    account_id: str
    enabled: bool
    configured: bool
    reason: str | None
    unusable: bool = False
    config: dict[str, Any]
    name: str | None
    restart: RestartConfig
    health: HealthMonitorConfig
    limits: AccountLimitsConfig
    launcher: Launcher
    manifest: Manifest | AgentManifest
    manifest_ref: str
    label: str
    fingerprint: str
    confine: bool = False
    python: str | None = None
    proxy: str | None = None
    login: LoginConfig = _LOGIN
    ingress_url: str | None = None  # where the platform reaches it; None: that is not known

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent, not an account."""
        return self.channel == AGENT

    @property
    def is_attached(self) -> bool:
        """Whether it has no process, because a client of the gateway answers in its place."""
        return isinstance(self.manifest, AgentManifest) and self.manifest.attached

    @property
    def code(self) -> str:
        """The import string of the class that its process runs; empty without a process."""
        manifest = self.manifest
        return manifest.plugin if isinstance(manifest, Manifest) else manifest.agent

    @property
    def can_login(self) -> bool:
        """Whether its plugin supports login by a person."""
        return isinstance(self.manifest, Manifest) and "login" in self.manifest.can

    @property
    def place(self) -> str:
        """The path in the configuration at which it stands, for people."""
        if self.is_agent:
            return f"agents.entries.{self.account_id}"
        return f"channels.{self.channel}.accounts.{self.account_id}"
