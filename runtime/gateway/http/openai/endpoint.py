"""Answers requests of the OpenAI API with runs of agents."""

from __future__ import annotations

import uuid
from urllib.parse import unquote

from aiohttp import web

from ipc.epoch import now_ms
from runtime.config.sessions import NamedKind
from runtime.gateway.conversations.session_keys import (
    BadSessionKey,
    agent_of,
    client_key,
    is_reserved,
    named_key,
)
from runtime.gateway.http import api
from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.json_bodies import JsonBodies
from runtime.gateway.http.openai import models
from runtime.gateway.http.openai.asked import Asked
from runtime.gateway.http.openai.chat_answers import CompletionWriter
from runtime.gateway.http.openai.chat_requests import read_chat_request
from runtime.gateway.http.openai.following import FollowedRun
from runtime.gateway.http.openai.models import MODELS, AgentNames
from runtime.gateway.http.openai.response_answers import ResponseWriter
from runtime.gateway.http.openai.response_requests import read_response_request
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import Run
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import made_run
from workers.web.trace_context import traceparent

CLIENT = "http"  # names where its runs come from
BODY_FIELD = "gateway.http.maxBodyBytes"
# Headers of OpenClaw, and ours.
SESSION = ("x-openclaw-session-key", "x-trunkline-session-key")
AGENT = ("x-openclaw-agent-id", "x-trunkline-agent-id")
MODEL = ("x-openclaw-model", "x-trunkline-model")
# Of a turn, and what the request calls them.
FIELDS = {"model": MODEL[0], "thinking": "reasoning_effort"}
RESERVED = f"`{SESSION[0]}` cannot use reserved internal session namespaces."


class OpenAIEndpoint:
    """The OpenAI API of one gateway."""

    def __init__(self, parts: GatewayParts, bodies: JsonBodies) -> None:
        self._parts = parts
        self._bodies = bodies
        self._most = parts.config.http.max_body_bytes

    async def list_models(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``GET /v1/models``."""
        return api.json_response(200, models.model_list(self._names()))

    async def one_model(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``GET /v1/models/<id>``."""
        model = unquote(request.rel_url.raw_path.removeprefix(f"{MODELS}/"))
        return api.json_response(200, models.model_row(self._names(), model))

    async def complete(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``POST /v1/chat/completions``."""
        asked = read_chat_request(await self._body(request))
        run = await self._made(request, asked, f"chatcmpl_{uuid.uuid4()}", "openai")
        writer = CompletionWriter(run.id, run.at // 1000, asked)
        followed = FollowedRun(self._parts, request, run, writer, stream=asked.stream)
        await followed.begin()
        if asked.stream:
            return await followed.streamed()
        return api.json_response(200, writer.whole(await followed.answered()))

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``POST /v1/responses``."""
        asked = read_response_request(await self._body(request))
        run = await self._made(request, asked, f"resp_{uuid.uuid4()}", "openresponses")
        writer = ResponseWriter(run.id, run.at // 1000, asked)
        followed = FollowedRun(self._parts, request, run, writer, stream=asked.stream)
        await followed.begin()
        if asked.stream:
            return await followed.streamed()
        try:
            return api.json_response(200, writer.whole(await followed.answered()))
        except HttpRefusal as refusal:  # as OpenClaw: a whole response
            return api.json_response(refusal.status, writer.failed(refusal), refusal.headers)

    async def _body(self, request: web.BaseRequest) -> object:
        return await self._bodies.read(request, self._most, BODY_FIELD)

    def _names(self) -> AgentNames:
        listed = self._parts.agents.listed
        return AgentNames(list(listed.entries), listed.agent_of(""))

    async def _made(self, request: web.BaseRequest, asked: Asked, id: str, kind: NamedKind) -> Run:
        """Return a new run for a request. Raises ``HttpRefusal`` and ``RemoteError``."""
        names = self._names()
        agent = models.agent_of(names, asked.model, _header(request, AGENT))
        given = _header(request, SESSION)
        if given and is_reserved(given):
            raise HttpRefusal(400, RESERVED)
        journal = await self._parts.asking.journal()
        key = await self._key(journal, asked, given, agent, kind)
        if agent_of(key) not in names.ids:
            raise HttpRefusal(400, models.unknown_agent(agent_of(key)))
        session = await journal.session(key)
        known = session is not None and session.messages > 0
        made = asked.request(now_ms(), known=known, model=_header(request, MODEL))
        idle = self._parts.agents.without_effect(agent_of(key), made.fields, FIELDS)
        asked.ignored.extend(idle)
        if request.transport is None:
            raise HttpRefusal(400, "the client has gone")
        return made_run(id, key, made, client=CLIENT, trace=traceparent(request.headers))

    async def _key(
        self, journal: Journal, asked: Asked, given: str | None, agent: str, kind: NamedKind
    ) -> str:
        """Return the session key of a request: the named one, the user's, or a new one."""
        if given:
            try:
                return client_key(given, agent)
            except BadSessionKey as error:
                raise HttpRefusal(400, str(error)) from None
        if asked.previous is not None and 0 < len(asked.previous) <= 512:
            before = await journal.run_of(asked.previous)
            if before is not None and before.origin.client == CLIENT:
                return before.session
        if asked.user:
            person: dict[NamedKind, NamedKind] = {
                "openai": "openai-user",
                "openresponses": "openresponses-user",
            }
            return named_key(agent, person[kind], asked.user)
        return named_key(agent, kind, str(uuid.uuid4()))


def _header(request: web.BaseRequest, names: tuple[str, ...]) -> str | None:
    """Return the first of several headers that is present."""
    found = (request.headers.get(name, "").strip() for name in names)
    return next(filter(None, found), None)
