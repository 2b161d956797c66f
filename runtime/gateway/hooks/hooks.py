"""Carries out hooks: wakes an agent, or gives it a turn, as the configuration allows."""

from __future__ import annotations

import uuid
from collections import Counter

import structlog

from ipc.errors import RemoteError
from runtime.config.timers import HooksConfig
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import BadSessionKey, client_key, main_key
from runtime.gateway.cron.links import NoRoute, own_run, with_fields
from runtime.gateway.cron.timers import Timers
from runtime.gateway.hooks.gate import HookGate
from runtime.gateway.hooks.mappings import (
    HookRequest,
    ReadyHook,
    find,
    problems_of,
    read_mappings,
)
from runtime.gateway.hooks.requests import (
    BadHook,
    HookAgent,
    HookRules,
    HookWake,
    agent_turn_of,
    rules_of,
    wake_of,
)
from runtime.gateway.journal.runs import ReplyTarget, Run
from runtime.gateway.runs.asking import RunAsking
from workers.errors import Misconfigured
from workers.secrets import reveal

CONFLICT = "this Idempotency-Key was already used for different input"
OUTCOMES = ("accepted", "refused", "unauthorized", "throttled", "failed")
NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # of names like OIDs, RFC 9562

log = structlog.get_logger("gateway.hooks")


class Hooks:
    """The hooks of one gateway. ``counts`` holds how many requests ended in which way."""

    def __init__(self, timers: Timers, asking: RunAsking) -> None:
        self.config = HooksConfig()
        self.gate: HookGate | None = None
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self._links = timers.links
        self._timers = timers
        self._asking = asking
        self._rules = HookRules(frozenset())
        self._mappings: list[ReadyHook] = []
        self._problems: list[str] = []

    def configure(self, config: HooksConfig | None) -> None:
        """Apply another configuration; without one, other agents and channels."""
        if config is not None and config != self.config:
            if config.token != self.config.token or self.gate is None:
                self.gate = _gate(config)
            self.config = config
        if not self.config.enabled:
            return
        listed, channels = self._links.agents.listed.entries, self._links.accounts.channels
        self._rules = rules_of(self.config, listed, channels)
        self._mappings = read_mappings(self.config.mappings, self._rules)
        problems = problems_of(self._mappings)
        if problems != self._problems:
            for each in problems:
                log.warning("a hook cannot be used", problem=each)
        self._problems = problems

    def place(self, path: str) -> str | None:
        """Return the hook that the path of a request names; ``None`` if there is none."""
        base = f"{self.config.path}/"
        if not self.config.enabled or self.gate is None or not path.startswith(base):
            return None
        return path.removeprefix(base).strip("/")

    def asked(
        self, request: HookRequest, idempotency_key: str | None = None
    ) -> HookWake | HookAgent | None:
        """Return the action of a request; ``None`` if there is no such hook. Raises ``BadHook``."""
        if request.path == "wake":
            return wake_of(request.body, self._rules)
        if request.path == "agent":
            return agent_turn_of(request.body, self._rules, idempotency_key)
        hook = find(self._mappings, request)
        if hook is None:
            return None
        if hook.problem is not None:
            log.warning("a hook cannot be used", problem=hook.problem)
        return hook.action(request, self._rules)

    async def wake(self, wake: HookWake) -> str:
        """Wake an agent; return the outcome of the event. Raises ``BadHook``."""
        agent = self._links.agent(wake.agent)
        try:
            woken = await self._timers.heartbeats.wake(wake.text, wake.mode, agent, wake.session)
        except BadSessionKey as error:
            raise BadHook(400, str(error)) from None
        return woken.outcome

    async def begin(self, asked: HookAgent, path: str, key: str | None, trace: str = "") -> Run:
        """Give an agent a turn, once per idempotency key; return its run. Raises ``BadHook``.

        ``trace`` is the trace context of the request.
        """
        links, now = self._links, self._links.now()
        agent = links.agent(asked.agent)
        name = str(uuid.uuid4() if key is None else uuid.uuid5(NAMESPACE, f"{path}\n{key}"))
        session = f"agent:{agent}:hook:{name}"
        if asked.session is not None:
            try:
                session = client_key(asked.session, agent)
            except BadSessionKey as error:
                raise BadHook(400, str(error)) from None
        run = own_run(
            name,
            session,
            agent,
            with_fields(asked.message, model=asked.model, thinking=asked.thinking),
            client="hook",
            now=now,
            reply=await self._reply(asked, agent),
            seconds=asked.timeout or 0,
            digest=digest_of(asked.session or "", asked.message, []),
            trace=trace,
        )
        try:
            return (await self._asking.ask(run)).run
        except RemoteError as error:
            if error.details == {"reason": "chat-request-conflict"}:
                raise BadHook(409, CONFLICT) from None
            raise

    async def _reply(self, asked: HookAgent, agent: str) -> ReplyTarget | None:
        if not asked.deliver:
            return None
        try:
            return await self._links.target(
                agent, main_key(agent), asked.channel, asked.to, asked.account
            )
        except NoRoute as error:
            if asked.to is None:
                return None  # nobody has written yet
            raise BadHook(400, str(error)) from None


def _gate(config: HooksConfig) -> HookGate | None:
    if config.token is None:
        return None
    try:
        return HookGate(reveal(config.token))
    except Misconfigured as error:
        log.error("hooks are closed: their token cannot be read", error=str(error))
        return None
