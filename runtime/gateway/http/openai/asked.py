"""Defines the parsed request of the OpenAI API, and bounds it. Pure.

The last message is the agent's text; what was said before it is the history of its turn, unless the
session knows that itself.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.gateway.http.api_refusals import HttpRefusal, too_large
from runtime.gateway.journal.runs import MAX_FILES_BYTES, RunRequest
from workers.messages import MAX_TEXT, Attachment

MAX_ASKED_BYTES = 640 * 1024  # of the request as JSON, so that the turn fits with its own fields
MAX_IGNORED = 32  # names that are listed
# The newest of so many messages fill a turn; to look at more would only keep the others waiting.
MAX_ITEMS = 10_000  # messages, their parts and calls
MAX_FIELDS = 256  # of a body
MAX_TOOLS = 1024
WRONG_IMAGE = "Invalid image_url content in `messages`."
NO_USER_MESSAGE = "Missing user message in `messages`."
WRONG_TOOLS = "Invalid tools/tool_choice: "
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII)

Json = dict[str, Any]


@dataclass(slots=True)
class SaidItem:
    """One message of a request.

    ``name`` is that of a person or tool. ``calls`` are those of tools, ``call`` is the id of the
    one whose result this is.
    """

    role: str
    text: str = ""
    name: str | None = None
    files: list[Attachment] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    call: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """The caller's tools, in the shape of chat completions, and how they are to be used.

    ``choice`` is ``auto``, ``required`` or the name of one function.
    """

    tools: list[Json] = field(default_factory=list)
    choice: str = "auto"

    @property
    def names(self) -> frozenset[str]:
        """The names of the functions."""
        return frozenset(each["function"]["name"] for each in self.tools)

    @property
    def fields(self) -> Json:
        """The fields of a turn for these tools."""
        if not self.tools:
            return {}
        if self.choice in ("auto", "required"):
            return {"tools": self.tools, "toolChoice": self.choice}
        chosen = {"type": "function", "function": {"name": self.choice}}
        return {"tools": self.tools, "toolChoice": chosen}


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed request. ``model`` and ``user`` are as sent, ``said`` all messages but system.

    ``previous`` is the answer that a request for a response follows. ``ignored`` names the
    parameters that no agent here can honour.
    """

    model: Any
    said: list[SaidItem]
    instructions: str = ""
    selection: ToolSelection = ToolSelection()
    thinking: str | None = None
    user: str | None = None
    previous: str | None = None
    stream: bool = False
    usage: bool = False
    ignored: list[str] = field(default_factory=list)

    def request(self, now: int, *, known: bool, model: str | None) -> RunRequest:
        """Return the request for the agent. Raises ``HttpRefusal`` if it is too large for a turn.

        ``known``: its session holds what was said before the last answer. ``model`` is asked for
        behind the agent. Times are epoch milliseconds.
        """
        at = last_asked(self.said)
        last = self.said[at:]
        before = self.said[:at]
        if known:
            before = before[fresh_from(before) :]
        text = "\n\n".join(words_of(each) for each in last if words_of(each))
        if len(text) > MAX_TEXT:
            raise too_large(f"the message has {len(text)} characters; allowed: {MAX_TEXT}")
        files = [file for each in last for file in each.files]
        if (size := sum(len(each.url) for each in files)) > MAX_FILES_BYTES:
            raise too_large(f"the files have {size} bytes as base64; allowed: {MAX_FILES_BYTES}")
        fields: Json = dict(self.selection.fields)
        given = {"instructions": self.instructions, "model": model, "thinking": self.thinking}
        fields |= {name: value for name, value in given.items() if value}
        if last[-1].role == "tool":
            fields["results"] = [_entry(each, each.text, now) for each in last]
        made = RunRequest(text, files, fields=fields)
        left = MAX_ASKED_BYTES - len(msgspec.json.encode(made))
        if left < 0:
            asked = MAX_ASKED_BYTES - left
            raise too_large(
                f"instructions, message, tools and files have {asked} bytes together; "
                f"allowed: {MAX_ASKED_BYTES}"
            )
        if history := history_of(before, now, left, {each.call for each in last}):
            fields["history"] = history
        return made


def last_asked(said: Sequence[SaidItem]) -> int:
    """Return the index in ``said`` of what is to be answered: a message, or results of tools.

    Raises ``HttpRefusal`` where there is neither.
    """
    end = len(said)
    while end and said[end - 1].role == "tool":
        end -= 1
    if end < len(said):
        return end
    for at in range(len(said) - 1, -1, -1):
        if said[at].role == "user" and (said[at].text or said[at].files):
            return at
    raise HttpRefusal(400, NO_USER_MESSAGE)


def fresh_from(said: Sequence[SaidItem]) -> int:
    """Return the index of the first message that a session does not know: after the last answer."""
    for at in range(len(said) - 1, -1, -1):
        if said[at].role == "assistant":
            return at if said[at].calls else at + 1
    return len(said)


def words_of(item: SaidItem) -> str:
    """Return a message as plain text, with calls of tools and their results."""
    if item.role == "tool":
        return f"[result of {item.name or 'a tool'}] {item.text}"
    calls = [f"[called {each['name']} with {each['arguments']}]" for each in item.calls]
    return "\n".join(filter(None, [item.text, *calls]))


def history_of(
    said: Sequence[SaidItem], now: int, most: int, answered: Collection[str | None] = ()
) -> list[Json]:
    """Return the newest messages, of at most ``most`` bytes together, as history of a turn.

    Calls of tools that have no result here, nor are ``answered`` by the turn, are words.
    """
    made: list[Json] = []
    results = {item.call for item in said if item.role == "tool"}.union(answered)
    for item in reversed(said):
        done = bool(item.calls) and all(each["id"] in results for each in item.calls)
        text = item.text if done or item.role == "tool" else words_of(item)
        text = "\n".join(filter(None, [text, *(f"[file: {_kind(each)}]" for each in item.files)]))
        entry = _entry(item, text, now)
        if done:
            entry["calls"] = [{"type": "toolCall", **each} for each in item.calls]
        if not text and not done and not item.call:
            continue
        most -= len(msgspec.json.encode(entry)) + 1
        if most < 0:
            break
        made.append(entry)
    return made[::-1]


def file_of(url: object, wrong: str, name: str | None = None, kind: str = "") -> Attachment:
    """Return the file in a ``data:`` address of a type that begins with ``kind``.

    Raises ``HttpRefusal`` with ``wrong``.
    """
    found = _DATA.match(url) if isinstance(url, str) else None
    if found is None or not isinstance(url, str) or not found[1].startswith(kind):
        raise HttpRefusal(400, wrong)
    text = url[found.end() :]
    if len(text) > MAX_FILES_BYTES:
        raise too_large(f"a file has {len(text)} bytes as base64; allowed: {MAX_FILES_BYTES}")
    try:
        size = len(b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise HttpRefusal(400, wrong) from None
    return Attachment(f"data:{found[1]};base64,{text}", found[1], name, size)


def selection_of(tools: object, choice: object) -> ToolSelection:
    """Check the tools of a request and return them. Raises ``HttpRefusal``."""
    if tools is None:
        tools = []
    if not isinstance(tools, list):
        raise HttpRefusal(400, expected("tools", "array", tools))
    for each in tools:
        function = each.get("function") if isinstance(each, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(each, Mapping) or each.get("type") != "function":
            raise HttpRefusal(400, f"{WRONG_TOOLS}only tools of type function are known")
        if not isinstance(name, str) or not name:
            raise HttpRefusal(400, f"{WRONG_TOOLS}a function has no name")
    if choice == "none":
        return ToolSelection()
    selection = ToolSelection(tools)
    if choice is None or choice == "auto":
        return selection
    if choice == "required":
        if not tools:
            text = "tool_choice=required but no tools were provided"
            raise HttpRefusal(400, f"{WRONG_TOOLS}{text}")
        return ToolSelection(tools, "required")
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        raise HttpRefusal(400, f"{WRONG_TOOLS}tool_choice is none, auto, required or a function")
    if name not in selection.names:
        raise HttpRefusal(400, f"{WRONG_TOOLS}tool_choice requested unknown tool: {name[:128]}")
    return ToolSelection(tools, name)


def check_counts(body: Mapping[str, Any], field: str) -> None:
    """Raise ``HttpRefusal`` for a body with too many fields, tools, or items in ``field``."""
    if len(body) > MAX_FIELDS:
        raise too_large(f"the body has {len(body)} fields; allowed: {MAX_FIELDS}")
    tools, items = body.get("tools"), body.get(field)
    if isinstance(tools, list) and len(tools) > MAX_TOOLS:
        raise too_large(f"there are {len(tools)} tools; allowed: {MAX_TOOLS}")
    if not isinstance(items, list):
        return
    count = len(items)
    if count <= MAX_ITEMS:
        inner = [each for item in items if isinstance(item, Mapping) for each in item.values()]
        count += sum(len(each) for each in inner if isinstance(each, list))
    if count > MAX_ITEMS:
        raise too_large(
            f"{field} has {count} messages, parts and calls together; allowed: {MAX_ITEMS}"
        )


def plain_text(value: object, path: str) -> str:
    """Return an optional text of a message. Raises ``HttpRefusal``."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise HttpRefusal(400, expected(path, "string", value))
    return value


def call_id(value: object) -> str:
    """Return the id of a call of a tool, ``""`` where it is none."""
    return str(value) if isinstance(value, str) or type(value) is int else ""


def call_arguments(value: object) -> str:
    """Return the arguments of a call as JSON text, also those that a client has not encoded."""
    if isinstance(value, str):
        return value or "{}"
    return "{}" if value is None else msgspec.json.encode(value).decode()


def text_in(body: Mapping[str, Any], name: str) -> str | None:
    """Return an optional text field. Raises ``HttpRefusal``."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise HttpRefusal(400, expected(name, "string", value))
    return value


def flag_in(body: Mapping[str, Any], name: str) -> bool:
    """Return an optional boolean field. Raises ``HttpRefusal``."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise HttpRefusal(400, expected(name, "boolean", value))
    return bool(value)


def check_sampling(body: Mapping[str, Any], limits: Collection[str]) -> None:
    """Raise ``HttpRefusal`` for an impossible temperature or token limit."""
    heat = body.get("temperature")
    if heat is not None and not (_is_number(heat) and 0 <= heat <= 2):
        raise HttpRefusal(400, "`temperature` must be between 0 and 2.")
    for name in limits:
        value = body.get(name)
        if value is None:
            continue
        if not _is_number(value):
            raise HttpRefusal(400, expected(name, "number", value))
        if value <= 0:
            raise HttpRefusal(400, f"{name}: Too small: expected number to be >0")


def ignored_in(body: Mapping[str, Any], honoured: Collection[str]) -> list[str]:
    """Return the names of the parameters that have no effect."""
    names = [
        name[:64] for name, value in body.items() if name not in honoured and value is not None
    ]
    return sorted(names)[:MAX_IGNORED]


def expected(path: str, wanted: str, value: object) -> str:
    """Return the error text for a value of the wrong type."""
    return f"{path}: Invalid input: expected {wanted}, received {_type_of(value)}"


def _entry(item: SaidItem, text: str, now: int) -> Json:
    entry: Json = {"role": item.role, "text": text, "at": now}
    given = {"name": item.name, "call": item.call}
    return entry | {name: value for name, value in given.items() if value}


def _kind(file: Attachment) -> str:
    return ", ".join(filter(None, [file.name, file.mime_type])) or "without a name"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type_of(value: object) -> str:
    match value:
        case None:
            return "undefined"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
    return "object"
