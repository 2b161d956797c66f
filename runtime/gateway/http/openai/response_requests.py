"""Reads requests for responses. Pure.

After https://platform.openai.com/docs/api-reference/responses/create. As in OpenClaw a parameter
that the API does not have is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import (
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

LIMITS = ("max_output_tokens", "max_tool_calls")
HONOURED = frozenset(
    {
        "model",
        "input",
        "instructions",
        "stream",
        "tools",
        "tool_choice",
        "user",
        "previous_response_id",
        "reasoning",
    }
)
KNOWN = HONOURED | {
    "background",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "temperature",
    "text",
    "top_logprobs",
    "top_p",
    "truncation",
}
WRONG_INPUT = "input: Invalid input"
SYSTEM = ("system", "developer")
UNSAID = ("reasoning", "item_reference")  # items that hold no words for an agent


def read_response_request(body: object) -> Asked:
    """Parse the body of a request. Raises ``HttpRefusal``."""
    if not isinstance(body, Mapping):
        raise HttpRefusal(400, expected("body", "object", body))
    for name in body:
        if name not in KNOWN:
            raise HttpRefusal(400, f': Unrecognized key: "{name[:128]}"')
    if not isinstance(body.get("model"), str):
        raise HttpRefusal(400, expected("model", "string", body.get("model")))
    check_sampling(body, LIMITS)
    check_counts(body, "input")
    system, said = _items(body.get("input"))
    last_asked(said)
    effort = body.get("reasoning")
    return Asked(
        model=body.get("model"),
        said=said,
        instructions="\n\n".join(filter(None, [text_in(body, "instructions"), *system])),
        selection=selection_of(_tools(body.get("tools")), _choice(body.get("tool_choice"))),
        thinking=text_in(effort, "effort") if isinstance(effort, Mapping) else None,
        user=text_in(body, "user"),
        previous=text_in(body, "previous_response_id"),
        stream=flag_in(body, "stream"),
        ignored=ignored_in(body, HONOURED),
    )


def _items(given: object) -> tuple[list[str], list[SaidItem]]:
    if isinstance(given, str):
        return [], [SaidItem("user", given)]
    if not isinstance(given, list):
        raise HttpRefusal(400, WRONG_INPUT)
    system: list[str] = []
    said: list[SaidItem] = []
    names: dict[str, str] = {}
    for item in given:
        if not isinstance(item, Mapping):
            raise HttpRefusal(400, WRONG_INPUT)
        match item.get("type", "message"):
            case "message":
                text, files = _content(item.get("content"))
                role = item.get("role")
                if role in SYSTEM:
                    system.append(text)
                elif role in ("user", "assistant"):
                    said.append(SaidItem(role, text, files=files))
                else:
                    raise HttpRefusal(400, WRONG_INPUT)
            case "function_call":
                call = _call(item)
                names[call["id"]] = call["name"]
                said.append(SaidItem("assistant", calls=[call]))
            case "function_call_output":
                text, files = _content(item.get("output"))
                call_of = call_id(item.get("call_id"))
                name = names.get(call_of)
                said.append(SaidItem("tool", text, name, files=files, call=call_of or None))
            case kind if kind not in UNSAID:
                raise HttpRefusal(400, WRONG_INPUT)
    return system, said


def _content(given: object) -> tuple[str, list[Attachment]]:
    if isinstance(given, str):
        return given, []
    if not isinstance(given, list):
        raise HttpRefusal(400, WRONG_INPUT)
    words: list[str] = []
    files: list[Attachment] = []
    for part in given:
        if not isinstance(part, Mapping):
            raise HttpRefusal(400, WRONG_INPUT)
        match part.get("type"):
            case "input_text" | "output_text" | "text":
                words.append(plain_text(part.get("text"), "input.content.text"))
            case "refusal":
                words.append(plain_text(part.get("refusal"), "input.content.refusal"))
            case "input_image":
                url = _source(part) or part.get("image_url")
                files.append(file_of(url, "Invalid image in `input`.", kind="image/"))
            case "input_file":
                name = part.get("filename")
                url = _source(part) or part.get("file_data")
                known = name if isinstance(name, str) and name else None
                files.append(file_of(url, "Invalid file in `input`.", known))
            case _:
                raise HttpRefusal(400, WRONG_INPUT)
    return "\n".join(filter(None, words)), files


def _source(part: Mapping[str, Any]) -> str | None:
    """Return the address of a file that OpenClaw's clients send as ``source``."""
    source = part.get("source")
    if not isinstance(source, Mapping) or source.get("type") != "base64":
        return None
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise HttpRefusal(400, WRONG_INPUT)
    call = call_id(item.get("call_id")) or call_id(item.get("id"))
    return {"id": call, "name": name, "arguments": call_arguments(item.get("arguments"))}


def _tools(given: object) -> object:
    """Return the tools that are functions, in the shape of chat completions."""
    if not isinstance(given, list):
        return given
    made: list[object] = []
    for each in given:
        if not isinstance(each, Mapping) or each.get("type") != "function" or "function" in each:
            made.append(each)
            continue
        function = {name: value for name, value in each.items() if name != "type"}
        made.append({"type": "function", "function": function})
    return made


def _choice(given: object) -> object:
    """Return the choice of a tool in the shape of chat completions."""
    if isinstance(given, Mapping) and given.get("type") == "function" and "name" in given:
        return {"type": "function", "function": {"name": given["name"]}}
    return given
