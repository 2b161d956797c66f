"""Translates requests to mapped hooks, ``/hooks/NAME``, into events or turns of agents. Pure.

A mapping is read when the configuration is: its templates are taken apart then, and a mapping in
which something is wrong spoils its own hook alone. A template is gone through once; what a
request brings in is never looked at for templates again, so that it cannot name a field, a header
or a key that the mapping does not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.hidden_fields import hide_fields
from runtime.gateway.hooks.requests import (
    BadHook,
    HookAgent,
    HookRules,
    HookWake,
    agent_of,
    delivery_of,
    session_of,
)

MAX_RENDERED = 256 * 1024  # characters: a field that is named often makes much of a small body
MAX_TEMPLATE = 64 * 1024
# They hold secrets of the gateway or of a browser.
WITHHELD = frozenset({"authorization", "cookie", "proxy-authorization", "x-openclaw-token"})
MAX_SHOWN = 80  # characters of a path that is not valid
MAX_DIGITS = 9  # of the place in a list
RESERVED = ("wake", "agent")
TEMPLATES = ("name", "session_key", "message_template", "text_template", "to", "model", "thinking")

_PLACE = re.compile(r"\{\{([^{}]*)\}\}")
_STEP = re.compile(r"([^.\[\]\s]+)((?:\[\d{1,6}\])*)\Z")
_INDEX = re.compile(r"\[(\d+)\]")
_OF_REQUEST = ("headers", "query")
# Fields of OpenClaw's that are not there, and what to do without each.
_LEFT_OUT = {
    "transform": "no module is run here: say in messageTemplate or textTemplate what becomes of it",
    "allowUnsafeExternalContent": "nothing is put around what a request brings in: leave it out",
}

Template = Annotated[str, Meta(max_length=MAX_TEMPLATE)]
Word = Annotated[str, Meta(min_length=1, max_length=512)]


class HookMatch(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a mapping matches: the path below ``/hooks/``, and ``source`` in the body."""

    path: Word
    source: str | None = None


class HookMapping(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A mapping of the configuration, with OpenClaw's field names."""

    match: HookMatch
    id: str | None = None
    action: Literal["wake", "agent"] = "agent"
    wake_mode: Literal["now", "next-heartbeat"] = "now"
    name: Template | None = None
    agent_id: Word | None = None
    session_key: Template | None = None
    message_template: Template | None = None
    text_template: Template | None = None
    deliver: bool = True
    channel: Word | None = None
    to: Template | None = None
    account_id: Word | None = None
    model: Template | None = None
    thinking: Template | None = None
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None


@hide_fields("headers", "query")
class HookRequest(msgspec.Struct, frozen=True):
    """The parts of a request for templates; ``path`` is the part after ``/hooks/``.

    Names of headers are in small letters.
    """

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    query: Mapping[str, str]


class ReadyHook(msgspec.Struct, frozen=True):
    """A mapping with parsed templates, or with a ``problem``.

    ``path`` is ``None`` where that is not valid: no request fits then.
    """

    path: str | None
    source: str | None = None
    mapping: HookMapping | None = None
    templates: Mapping[str, tuple[str | _TemplatePlace, ...]] | None = None
    problem: str | None = None

    def fits(self, request: HookRequest) -> bool:
        """Return whether the hook matches a request."""
        if self.path != request.path:
            return False
        return self.source is None or self.source == request.body.get("source")

    def action(self, request: HookRequest, rules: HookRules) -> HookWake | HookAgent:
        """Return the action for a request; raises ``BadHook``."""
        mapping = self.mapping
        if mapping is None:
            raise BadHook(500, "hook mapping failed")
        agent = agent_of(mapping.agent_id, rules)
        key = self._render("session_key", request)
        session = None if key is None else session_of(key, agent, rules)
        if mapping.action == "wake":
            text = self._required("text", "text_template", request)
            return HookWake(text, mapping.wake_mode, agent, session)
        channel, to = delivery_of(
            mapping.channel, self._render("to", request), mapping.account_id, rules
        )
        return HookAgent(
            message=self._required("message", "message_template", request),
            name=self._render("name", request) or "Hook",
            agent=agent,
            session=session,
            deliver=mapping.deliver,
            channel=channel,
            to=to,
            account=mapping.account_id,
            model=self._render("model", request),
            thinking=self._render("thinking", request),
            timeout=mapping.timeout_seconds,
        )

    def _required(self, what: str, field: str, request: HookRequest) -> str:
        found = self._render(field, request)
        if found is None:
            raise BadHook(400, f"hook mapping requires {what}")
        return found

    def _render(self, field: str, request: HookRequest) -> str | None:
        """Render a template with the values of a request; ``None`` if the result is blank."""
        parts = (self.templates or {}).get(field)
        if parts is None:
            return None
        rendered, size = [], 0
        for part in parts:
            text = part if isinstance(part, str) else part.text(request)
            size += len(text)
            if size > MAX_RENDERED:
                raise BadHook(413, "payload too large")
            rendered.append(text)
        return "".join(rendered).strip() or None


class _TemplatePlace(msgspec.Struct, frozen=True):
    """A placeholder of a template: the path of its value in a request."""

    root: str  # body, headers, query or path
    steps: tuple[str | int, ...]

    def text(self, request: HookRequest) -> str:
        if self.root == "path":
            return request.path
        if self.root == "headers":
            name = str(self.steps[0])
            return "" if name in WITHHELD else request.headers.get(name, "")
        if self.root == "query":
            return request.query.get(str(self.steps[0]), "")
        value: Any = request.body
        for step in self.steps:
            value = _inside(value, step)
        return _shown(value)


def read_mappings(given: object, rules: HookRules) -> list[ReadyHook]:
    """Parse the mappings of a configuration, in order.

    One in which something is wrong takes its requests all the same, and refuses them; where not
    even its path can be read, it takes none. ``problem`` says what it is.
    """
    if not isinstance(given, list):
        return []
    return [_read(index, each, rules) for index, each in enumerate(given)]


def problems_of(hooks: Iterable[ReadyHook]) -> list[str]:
    """Return what is wrong with mappings, one sentence each."""
    return [hook.problem for hook in hooks if hook.problem is not None]


def find(hooks: Iterable[ReadyHook], request: HookRequest) -> ReadyHook | None:
    """Return the first hook that matches a request, if any."""
    return next((hook for hook in hooks if hook.fits(request)), None)


def _read(index: int, given: object, rules: HookRules) -> ReadyHook:
    path, source = _match_of(given)
    try:
        _check_left_out(given)
        mapping = msgspec.convert(given, HookMapping)
        templates = {
            field: _parse_template(text)
            for field in TEMPLATES
            if (text := getattr(mapping, field)) is not None
        }
        _check(mapping, templates, rules)
    except (ValueError, BadHook) as error:
        where = f"hooks.mappings[{index}]{_named(path, given)}"
        return ReadyHook(path, source, problem=f"{where}: {error}")
    return ReadyHook(path, source, mapping, templates)


def _check_left_out(given: object) -> None:
    for name in given if isinstance(given, Mapping) else ():
        if name in _LEFT_OUT:
            raise ValueError(f"{name} is not there; {_LEFT_OUT[name]}")


def _match_of(given: object) -> tuple[str | None, str | None]:
    """Return the path and the source that a mapping matches, as far as they are valid."""
    match = given.get("match") if isinstance(given, Mapping) else None
    if not isinstance(match, Mapping):
        return None, None
    path, source = match.get("path"), match.get("source")
    return (
        (path.strip("/") or None) if isinstance(path, str) else None,
        source if isinstance(source, str) else None,
    )


def _named(path: str | None, given: object) -> str:
    """Return how an error names a mapping beside its place: by its path, as far as it has one."""
    if path is not None:
        return f" (/hooks/{path})"
    match = given.get("match") if isinstance(given, Mapping) else None
    if not isinstance(match, Mapping) or "path" not in match:
        return ""
    text = msgspec.json.encode(match["path"]).decode()
    return f" (match.path {text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '…'})"


def _check(
    mapping: HookMapping,
    templates: Mapping[str, tuple[str | _TemplatePlace, ...]],
    rules: HookRules,
) -> None:
    """Raise for errors of a mapping itself: a missing path, agent or template."""
    if mapping.match.path.strip("/") in ("", *RESERVED):
        raise ValueError("match.path is empty or one of the gateway's own; allowed: another one")
    agent = agent_of(mapping.agent_id, rules)
    wanted = "text_template" if mapping.action == "wake" else "message_template"
    if wanted not in templates:
        name = "textTemplate" if mapping.action == "wake" else "messageTemplate"
        raise ValueError(f"{name} is missing; action {mapping.action} needs it")
    delivery_of(mapping.channel, "?" if "to" in templates else None, mapping.account_id, rules)
    key = templates.get("session_key")
    if key is not None:
        first = key[0] if key and isinstance(key[0], str) else ""
        # Whatever a request brings in, it can only follow what stands before it.
        session_of(first or "?", agent, rules)


def _parse_template(template: str) -> tuple[str | _TemplatePlace, ...]:
    """Parse a template into texts and placeholders, in order; raises ``ValueError``."""
    parts: list[str | _TemplatePlace] = []
    end = 0
    for found in _PLACE.finditer(template):
        if found.start() > end:
            parts.append(template[end : found.start()])
        parts.append(_place(found[1].strip()))
        end = found.end()
    if end < len(template):
        parts.append(template[end:])
    return tuple(parts)


def _place(expression: str) -> _TemplatePlace:
    root, dot, rest = expression.partition(".")
    if root in _OF_REQUEST and dot:
        if not rest or re.search(r"\s", rest):
            raise ValueError(f"{{{{{expression}}}}} names nothing of the {root}")
        return _TemplatePlace(root, (rest.lower() if root == "headers" else rest,))
    if expression == "path":
        return _TemplatePlace("path", ())
    steps: list[str | int] = []
    for word in (rest if root == "payload" and dot else expression).split("."):
        found = _STEP.match(word)
        if found is None:
            raise ValueError(f"{{{{{expression}}}}} is no place in a body, such as {{{{a.b[0]}}}}")
        steps.append(found[1])
        steps += [int(number) for number in _INDEX.findall(found[2])]
    return _TemplatePlace("body", tuple(steps))


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, str) and isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list):
        number = str(step)
        index = int(number) if number.isdecimal() and len(number) < MAX_DIGITS else len(value)
        return value[index] if index < len(value) else None
    return None


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
