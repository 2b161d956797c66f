"""Answers requests of the OpenAI API with runs of agents."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import msgspec
from aiohttp import web

from ipc.epoch import now_ms
from runtime.config.sessions import NamedKind
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import (
    MAIN,
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
from runtime.gateway.http.openai.following import AnswerWriter, FollowedRun
from runtime.gateway.http.openai.models import MODELS, AgentNames
from runtime.gateway.http.openai.response_answers import ResponseWriter
from runtime.gateway.http.openai.response_requests import read_response_request
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import Run
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import made_run, run_id
from workers.web.trace_context import traceparent

CLIENT = "http"  # names where its runs come from
BODY_FIELD = "gateway.http.maxBodyBytes"
# Headers of OpenClaw, and ours.
SESSION = ("x-openclaw-session-key", "x-trunkline-session-key")
AGENT = ("x-openclaw-agent-id", "x-trunkline-agent-id")
MODEL = ("x-openclaw-model", "x-trunkline-model")
# Of a turn, and what the request calls them.
FIELDS = {"model": MODEL[0], "thinking": "reasoning_effort"}
# The kinds of sessions of a request, and of one with ``user``.
USER: dict[NamedKind, NamedKind] = {"openai": "openai-user", "openresponses": "openresponses-user"}
MAX_IDEMPOTENCY_KEY = 512
SHAPE = frozenset({"stream", "stream_options"})  # of an answer, which may be asked for again
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
        asked, run = await self._read(request, read_chat_request, "chatcmpl", "openai")
        writer = CompletionWriter(run.id, run.at // 1000, asked)
        followed = self._followed(request, run, writer, asked)
        await followed.begin()
        if asked.stream:
            return await followed.stream()
        return api.json_response(200, writer.whole(await followed.wait_answer()))

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``POST /v1/responses``."""
        asked, run = await self._read(request, read_response_request, "resp", "openresponses")
        writer = ResponseWriter(run.id, run.at // 1000, asked)
        followed = self._followed(request, run, writer, asked)
        await followed.begin()
        if asked.stream:
            return await followed.stream()
        try:
            return api.json_response(200, writer.whole(await followed.wait_answer()))
        except HttpRefusal as refusal:  # as OpenClaw: a whole response
            return api.json_response(refusal.status, writer.failure(refusal), refusal.headers)

    async def _read(
        self,
        request: web.BaseRequest,
        read: Callable[[object], Asked],
        prefix: str,
        kind: NamedKind,
    ) -> tuple[Asked, Run]:
        """Read a request and return it with a new run for it.

        What does not go to the agent is dropped: the body may be much larger, and the run long.
        """
        body = await self._bodies.read(request, self._most, BODY_FIELD)
        asked = read(body)
        run = await self._new_run(request, body, asked, prefix, kind)
        asked.said.clear()
        return asked, run

    def _names(self) -> AgentNames:
        listed = self._parts.agents.listed
        return AgentNames(list(listed.entries), listed.agent_of(""))

    def _followed(
        self, request: web.BaseRequest, run: Run, writer: AnswerWriter, asked: Asked
    ) -> FollowedRun:
        keyed = _idempotency_key(request) is not None
        return FollowedRun(self._parts, request, run, writer, stream=asked.stream, keyed=keyed)

    async def _new_run(
        self, request: web.BaseRequest, body: object, asked: Asked, prefix: str, kind: NamedKind
    ) -> Run:
        """Return a new run for a request. Raises ``HttpRefusal`` and ``RemoteError``."""
        key = _idempotency_key(request)
        name = run_id(request.path, key)
        names = self._names()
        agent = models.agent_of(names, asked.model, _header(request, AGENT))
        given = _header(request, SESSION)
        if given and is_reserved(given):
            raise HttpRefusal(400, RESERVED)
        journal = await self._parts.asking.journal()
        own = (USER[kind], asked.user) if asked.user else (kind, name)
        place = await self._key(journal, asked, given, agent, named_key(agent, *own))
        if agent_of(place) not in names.ids:
            raise HttpRefusal(400, models.unknown_agent(agent_of(place)))
        session = await journal.session(place)
        known = session is not None and session.messages > 0
        made = asked.request(now_ms(), known=known, model=_header(request, MODEL))
        idle = self._parts.agents.ignored_fields(agent_of(place), made.fields, FIELDS)
        asked.ignored.extend(idle)
        if request.transport is None:
            raise HttpRefusal(400, "the client has gone")
        return made_run(
            f"{prefix}_{name}",
            place,
            made,
            client=CLIENT,
            trace=traceparent(request.headers),
            digest="" if key is None else _digest(place, body),
        )

    async def _key(
        self, journal: Journal, asked: Asked, given: str | None, agent: str, own: str
    ) -> str:
        """Return the session key of a request. It is the named one, that of an earlier answer, or
        ``own``.
        """
        if given:
            try:
                return client_key(given, agent, main=self._parts.agents.named(MAIN))
            except BadSessionKey as error:
                raise HttpRefusal(400, str(error)) from None
        if asked.previous is not None and 0 < len(asked.previous) <= 512:
            before = await journal.run_of(asked.previous)
            if before is not None and before.origin.client == CLIENT:
                return before.session
        return own


def _idempotency_key(request: web.BaseRequest) -> str | None:
    """Return the key of a request that may be sent again; raises ``HttpRefusal``."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_IDEMPOTENCY_KEY:
        raise HttpRefusal(400, f"Idempotency-Key has more than {MAX_IDEMPOTENCY_KEY} characters")
    return key or None


def _digest(session: str, body: object) -> str:
    """Return the digest of a request's content, by which another one with its key is known."""
    given = body.items() if isinstance(body, dict) else ()
    content = sorted((name, value) for name, value in given if name not in SHAPE)
    return digest_of(session, msgspec.json.encode(content).decode(), [])


def _header(request: web.BaseRequest, names: tuple[str, ...]) -> str | None:
    """Return the first of several headers that is present."""
    found = (request.headers.get(name, "").strip() for name in names)
    return next(filter(None, found), None)
