"""Reads requests for chat completions. Pure.

After https://platform.openai.com/docs/api-reference/chat/create, refused in OpenClaw's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import (
    NO_USER_MESSAGE,
    WRONG_IMAGE,
    Asked,
    SaidItem,
    call_arguments,
    call_id,
    check_counts,
    check_sampling,
    expected,
    file_of,
    flag_in,
    ignored_in,
    last_asked,
    plain_text,
    selection_of,
    text_in,
)
from workers.messages import Attachment

LIMITS = ("max_tokens", "max_completion_tokens")
MAX_STOPS = 4
HONOURED = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "user",
        "reasoning_effort",
    }
)
SYSTEM = ("system", "developer")
# No set: a request may have a list where a role is expected.
ROLES = (*SYSTEM, "user", "assistant", "tool", "function")


def read_chat_request(body: object) -> Asked:
    """Parse the body of a request. Raises ``HttpRefusal``."""
    if not isinstance(body, Mapping):
        raise HttpRefusal(400, expected("body", "object", body))
    check_sampling(body, LIMITS)
    check_counts(body, "messages")
    stops = body.get("stop")
    if isinstance(stops, list) and len(stops) > MAX_STOPS:
        raise HttpRefusal(400, f"Invalid stop: stop supports at most {MAX_STOPS} sequences")
    system, said = _messages(body.get("messages"))
    last_asked(said)
    options = body.get("stream_options")
    return Asked(
        model=body.get("model"),
        said=said,
        instructions="\n\n".join(filter(None, system)),
        selection=selection_of(body.get("tools"), body.get("tool_choice")),
        thinking=text_in(body, "reasoning_effort"),
        user=text_in(body, "user"),
        stream=flag_in(body, "stream"),
        usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        ignored=ignored_in(body, HONOURED),
    )


def _messages(given: object) -> tuple[list[str], list[SaidItem]]:
    if given is None:
        raise HttpRefusal(400, NO_USER_MESSAGE)
    if not isinstance(given, list):
        raise HttpRefusal(400, expected("messages", "array", given))
    system: list[str] = []
    said: list[SaidItem] = []
    names: dict[str, str] = {}  # of the tools that were called, by the id of the call
    for at, message in enumerate(given):
        path = f"messages.{at}"
        if not isinstance(message, Mapping):
            raise HttpRefusal(400, expected(path, "object", message))
        role = message.get("role")
        if role not in ROLES:
            raise HttpRefusal(400, f"{path}.role: Invalid option: expected one of {_roles()}")
        text, files = _content(message.get("content"), f"{path}.content")
        if role in SYSTEM:
            system.append(text)
            continue
        item = SaidItem("tool" if role == "function" else role, text, files=files)
        if isinstance(name := message.get("name"), str) and name:
            item.name = name[:512]
        if role == "assistant":
            item.calls = _calls(message, path, names)
            item.name = None
        elif role == "tool":
            item.call = call_id(message.get("tool_call_id")) or None
            item.name = names.get(item.call or "") or item.name
        said.append(item)
    return system, said


def _content(given: object, path: str) -> tuple[str, list[Attachment]]:
    """Return the text and the files of a message."""
    if given is None:
        return "", []
    if isinstance(given, str):
        return given, []
    if not isinstance(given, list):
        raise HttpRefusal(400, expected(path, "string or array", given))
    words: list[str] = []
    files: list[Attachment] = []
    for at, part in enumerate(given):
        kind = part.get("type") if isinstance(part, Mapping) else None
        match kind:
            case "text" | "refusal":
                words.append(plain_text(part.get(kind), f"{path}.{at}.{kind}"))
            case "image_url":
                image = part.get("image_url")
                url = image.get("url") if isinstance(image, Mapping) else image
                files.append(file_of(url, WRONG_IMAGE, kind="image/"))
            case "file":
                files.append(_file(part.get("file")))
            case _:
                text = f"{path}.{at}: a part is of type text, image_url or file"
                raise HttpRefusal(400, text)
    return "\n".join(filter(None, words)), files


def _file(given: object) -> Attachment:
    data = given.get("file_data") if isinstance(given, Mapping) else None
    name = given.get("filename") if isinstance(given, Mapping) else None
    wrong = "Invalid file content in `messages`."
    return file_of(data, wrong, name if isinstance(name, str) and name else None)


def _calls(message: Mapping[str, Any], path: str, names: dict[str, str]) -> list[dict[str, Any]]:
    """Return the calls of tools in a message, and record their names."""
    given = message.get("tool_calls")
    if given is None:
        return []
    if not isinstance(given, list):
        raise HttpRefusal(400, expected(f"{path}.tool_calls", "array", given))
    made = []
    for each in given:
        function = each.get("function") if isinstance(each, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str):
            raise HttpRefusal(400, f"{path}.tool_calls: a call has a function with a name")
        call, arguments = call_id(each.get("id")), call_arguments(function.get("arguments"))
        names[call] = name
        made.append({"id": call, "name": name, "arguments": arguments})
    return made


def _roles() -> str:
    return "|".join(f'"{each}"' for each in sorted(ROLES))
