"""Carries out hooks: wakes an agent, or gives it a turn, as the configuration allows."""

from __future__ import annotations

from collections import Counter

import structlog

from ipc.errors import RemoteError
from ipc.frames.words import AGENT
from runtime.config.timers import HooksConfig
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import (
    MAIN,
    BadSessionKey,
    agent_of,
    main_key,
    named_key,
)
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
    unknown_agent,
    wake_of,
)
from runtime.gateway.journal.runs import ReplyTarget, Run
from runtime.gateway.runs.asking import RunAsking, run_id
from workers.errors import Misconfigured
from workers.secrets import reveal

CONFLICT = "this Idempotency-Key was already used for different input"
OUTCOMES = ("accepted", "refused", "unauthorized", "throttled", "failed")

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
        agents, channels = self._links.agents, self._links.accounts.channels
        known = [f"{each.id}:{account}" for each in channels.values() for account in each.accounts]
        self._rules = rules_of(self.config, agents.listed.entries, known, agents.named(MAIN))
        self._mappings = read_mappings(self.config.mappings, self._rules)
        problems = problems_of(self._mappings)
        if problems != self._problems:
            for each in problems:
                log.warning("a hook cannot be used", problem=each)
        self._problems = problems

    def hook_path(self, path: str) -> str | None:
        """Return the hook that the path of a request names; ``None`` if there is none."""
        base = f"{self.config.path}/"
        if not self.config.enabled or self.gate is None or not path.startswith(base):
            return None
        return path.removeprefix(base).strip("/")

    def action_of(
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
        session = self._session(wake.session, wake.agent) or main_key(
            self._links.agents.named(wake.agent)
        )
        waking = self._timers.heartbeats.wake(wake.text, wake.mode, session)
        woken = await self._links.perform(waking)
        return woken.outcome

    def _session(self, given: str | None, agent: str | None) -> str | None:
        """Return the full key of the session that a request names, if any; raises ``BadHook``."""
        if given is None:
            return None
        try:
            key = self._links.agents.session_key(given, agent)
        except BadSessionKey as error:
            raise BadHook(400, str(error)) from None
        owner = agent_of(key)
        if given.startswith(f"{AGENT}:") and owner not in self._rules.agents:
            raise BadHook(400, unknown_agent(owner))
        return key

    async def begin(self, asked: HookAgent, path: str, key: str | None, trace: str = "") -> Run:
        """Begin a turn of an agent, once per idempotency key; return its run. Raises ``BadHook``.

        ``trace`` is the trace context of the request.
        """
        links, now = self._links, self._links.now()
        name = run_id(path, key)
        session = self._session(asked.session, asked.agent) or named_key(
            links.agents.named(asked.agent), "hook", name
        )
        agent = agent_of(session)
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
