"""Implements the methods of a fake Slack's Web API, with Slack's own refusals."""

from __future__ import annotations

from typing import Any

from ipc.nesting import decode_json
from workers.testing.fakes.slack_apps import Channel, Clock, FakeApp, Json, RefusedMethod
from workers.testing.fakes.slack_files import FakeFiles

SHOWN_LIMIT = 40_000  # characters; what follows is cut off
UPDATE_LIMIT = 4_000
SECTION_LIMIT = 3_000


class SlackMethods:
    """The workspace ``T1``, its ``files``, and its ``people``, their names by their ids."""

    def __init__(self, clock: Clock) -> None:
        self.files = FakeFiles(clock)
        self.channels: dict[str, Channel] = {}
        self.people = {"U1": "Ada"}
        self._clock = clock

    def channel(self, id: str) -> Channel:
        """Return a channel; every id is one that bots are in until it is said otherwise."""
        return self.channels.setdefault(id, Channel(id))

    def run(self, app: FakeApp, method: str, params: Json) -> Json:
        """Carry out a method; return what stands in its answer. Raises ``RefusedMethod``."""
        family, _, verb = method.partition(".")
        match family:
            case "auth" if verb == "test":
                return self._who(app)
            case "chat":
                return self._chat(app, method, params)
            case "users" if verb == "info":
                return {"user": self._person(str(params.get("user", "")))}
            case "reactions":
                return self._react(app, method, params)
            case "conversations" if verb == "open":
                return {"channel": self._open_channel(str(params.get("users", ""))).info}
            case "conversations":
                return self._read_conversation(verb, params)
            case "files":
                to = params.get("channel_id")
                channel = self._file_channel(str(to)) if to else None
                return self.files.run(app, verb, params, channel)
            case "assistant":
                app.sent.append({"method": method, **params})
                return {}
        raise RefusedMethod("unknown_method")

    def _who(self, app: FakeApp) -> Json:
        return {
            "url": "https://fake.slack.com/",
            "team": "Fake",
            "user": f"bot{app.number}",
            "team_id": "T1",
            "user_id": app.user_id,
            "bot_id": app.bot_id,
            "is_enterprise_install": False,
        }

    def _open_channel(self, id: str) -> Channel:
        """Return a channel that may be written to; a person's id is that of their chat."""
        known = f"D{id}" if id.startswith("U") else id
        if not known.startswith(("C", "D", "G")):
            raise RefusedMethod("channel_not_found")
        found = self.channel(known)
        if found.archived:
            raise RefusedMethod("is_archived")
        if not found.member:
            raise RefusedMethod("not_in_channel")
        return found

    def _person(self, id: str) -> Json:
        if id not in self.people:
            raise RefusedMethod("user_not_found")
        name = self.people[id]
        profile = {"display_name": name, "real_name": f"{name} of Fake"}
        return {"id": id, "name": name.lower(), "real_name": f"{name} of Fake", "profile": profile}

    def _file_channel(self, id: str) -> Channel:
        """Return a channel that files are sent to: a person's id is none here."""
        if id.startswith("U"):
            raise RefusedMethod("channel_not_found")
        return self._open_channel(id)

    def _chat(self, app: FakeApp, method: str, params: Json) -> Json:
        channel = self._open_channel(str(params.get("channel", "")))
        text = str(params.get("text") or "")
        if method == "chat.postMessage":
            if not text and not params.get("blocks"):
                raise RefusedMethod("no_text")
            check_blocks(params.get("blocks"))
            ts = self._clock.ts()
            message: Json = {
                "type": "message",
                "user": app.user_id,
                "bot_id": app.bot_id,
                "text": text[:SHOWN_LIMIT],
                "ts": ts,
            }
            if thread := params.get("thread_ts"):
                message["thread_ts"] = thread
            channel.messages.append(message)
            app.sent.append({"method": method, **params, "ts": ts})
            return {"channel": channel.id, "ts": ts, "message": message}
        known = [each for each in channel.messages if each["ts"] == params.get("ts")]
        if not known:
            raise RefusedMethod("message_not_found")
        if known[0].get("bot_id") != app.bot_id:
            raise RefusedMethod(
                "cant_update_message" if method == "chat.update" else "cant_delete_message"
            )
        if method == "chat.update":
            if len(text) > UPDATE_LIMIT:
                raise RefusedMethod("msg_too_long")
            known[0]["text"] = text
        elif method == "chat.delete":
            channel.messages.remove(known[0])
        else:
            raise RefusedMethod("unknown_method")
        app.sent.append({"method": method, **params})
        return {"channel": channel.id, "ts": params["ts"], "text": text}

    def _react(self, app: FakeApp, method: str, params: Json) -> Json:
        channel = self._open_channel(str(params.get("channel", "")))
        name, ts = str(params.get("name", "")), params.get("timestamp")
        if not name or name != name.lower() or not name.isascii():
            raise RefusedMethod("invalid_name")
        message = next((each for each in channel.messages if each["ts"] == ts), None)
        if message is None:
            raise RefusedMethod("message_not_found")
        mine: set[tuple[str, str]] = message.setdefault("reactions_of_bots", set())
        mark = (app.bot_id, name)
        if method == "reactions.add":
            if mark in mine:
                raise RefusedMethod("already_reacted")
            mine.add(mark)
        else:
            if mark not in mine:
                raise RefusedMethod("no_reaction")
            mine.remove(mark)
        app.sent.append({"method": method, **params})
        return {}

    def _read_conversation(self, verb: str, params: Json) -> Json:
        name = str(params.get("channel", ""))
        if not name.startswith(("C", "D", "G")):
            raise RefusedMethod("channel_not_found")
        channel, limit = self.channel(name), int(params.get("limit") or 100)
        match verb:
            case "info":
                return {"channel": channel.info}
            case "members":
                first = int(params.get("cursor") or 0)
                rest = str(first + limit) if first + limit < len(channel.members) else ""
                return {
                    "members": channel.members[first : first + limit],
                    "response_metadata": {"next_cursor": rest},
                }
            case "history" | "replies":
                latest = params.get("latest")
                messages = [
                    {key: value for key, value in each.items() if key != "reactions_of_bots"}
                    for each in channel.messages
                    if (not latest or each["ts"] < latest)
                    and (verb == "history" or params["ts"] in (each["ts"], each.get("thread_ts")))
                ]
                newest_first = messages[::-1][:limit]
                ordered = newest_first if verb == "history" else newest_first[::-1]
                return {"messages": ordered, "has_more": len(messages) > limit}
        raise RefusedMethod("unknown_method")


def check_blocks(blocks: Any) -> None:
    """Refuse blocks with what Slack does not take: a text that is too long, an id that is twice."""
    found = decode_json(blocks) if isinstance(blocks, str) else blocks or []
    ids: set[str] = set()
    for block in found:
        if block["type"] == "section" and not 0 < len(block["text"]["text"]) <= SECTION_LIMIT:
            raise RefusedMethod("invalid_blocks")
        for element in block.get("elements", []):
            if element["action_id"] in ids or len(element["text"]["text"]) > 75:
                raise RefusedMethod("invalid_blocks")
            ids.add(element["action_id"])
