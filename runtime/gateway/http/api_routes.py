"""Lists the routes of the gateway's HTTP API that the configuration enables."""

from __future__ import annotations

from collections.abc import Callable

from runtime.gateway.access.scopes import READ, WRITE
from runtime.gateway.http.api import ApiRoute
from runtime.gateway.http.json_bodies import JsonBodies
from runtime.gateway.http.openai.models import MODELS
from runtime.gateway.http.session_history import SessionHistory, key_in_path
from runtime.gateway.http.tool_requests import tool_refusal
from runtime.gateway.http.tools import ToolsEndpoint
from runtime.gateway.parts import GatewayParts


def routes_of(parts: GatewayParts) -> Callable[[str], ApiRoute | None]:
    """Return the function that finds the route of a request's raw path."""
    bodies = JsonBodies()
    endpoints = parts.config.http.endpoints
    history = ApiRoute("GET", READ, SessionHistory(parts).answer)
    tools = ToolsEndpoint(parts, bodies)
    routes = {"/tools/invoke": ApiRoute("POST", WRITE, tools.invoke, tool_refusal)}
    model: ApiRoute | None = None
    if endpoints.chat_completions.enabled or endpoints.responses.enabled:
        from runtime.gateway.http.openai.endpoint import OpenAIEndpoint  # late: it is off, mostly

        openai = OpenAIEndpoint(parts, bodies)
        if endpoints.chat_completions.enabled:
            routes["/v1/chat/completions"] = ApiRoute("POST", WRITE, openai.complete)
        if endpoints.responses.enabled:
            routes["/v1/responses"] = ApiRoute("POST", WRITE, openai.respond)
        routes[MODELS] = ApiRoute("GET", READ, openai.list_models)
        model = ApiRoute("GET", READ, openai.one_model)

    def route(path: str) -> ApiRoute | None:
        if path in routes:
            return routes[path]
        if path.startswith(f"{MODELS}/") and len(path) > len(MODELS) + 1:
            return model
        return history if key_in_path(path) else None

    return route
