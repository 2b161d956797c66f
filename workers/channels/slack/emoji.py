"""Translates between emoji and Slack's names of them. Pure.

Only the common reactions are known; others keep their names, as custom ones do.
"""

from __future__ import annotations

import re

_NAMES = {
    "👍": "+1",
    "👎": "-1",
    "❤️": "heart",
    "🔥": "fire",
    "🎉": "tada",
    "😂": "joy",
    "😄": "smile",
    "😀": "grinning",
    "😊": "blush",
    "😍": "heart_eyes",
    "🤔": "thinking_face",
    "😢": "cry",
    "😭": "sob",
    "😡": "rage",
    "😱": "scream",
    "🙏": "pray",
    "👏": "clap",
    "🙌": "raised_hands",
    "💯": "100",
    "👀": "eyes",
    "✅": "white_check_mark",
    "✔️": "heavy_check_mark",
    "❌": "x",
    "⚠️": "warning",
    "🚀": "rocket",
    "⭐": "star",
    "💡": "bulb",
    "👋": "wave",
    "🤝": "handshake",
    "👌": "ok_hand",
    "💪": "muscle",
    "🤖": "robot_face",
    "⏳": "hourglass_flowing_sand",
    "🕐": "clock1",
    "🤷": "shrug",
    "🎯": "dart",
    "📌": "pushpin",
    "📎": "paperclip",
    "🐛": "bug",
    "❓": "question",
    "❗": "exclamation",
    "🆗": "ok",
    "🔔": "bell",
    "🛑": "octagonal_sign",
    "⚡": "zap",
    "😎": "sunglasses",
    "😅": "sweat_smile",
    "🥳": "partying_face",
    "💀": "skull",
}
_SHOWN = {name: emoji for emoji, name in _NAMES.items()} | {"thumbsup": "👍", "thumbsdown": "👎"}
_NAME = re.compile(r"[\w+'-]{1,100}(?:::skin-tone-[2-6])?\Z")
_VARIANT = "\ufe0f"  # asks for the coloured form; some leave it out


def shown_emoji(name: str) -> str:
    """Return the emoji for a name; for a rare or custom one, the name in colons."""
    return _SHOWN.get(name) or f":{name}:"[:64]


def emoji_name(emoji: str) -> str | None:
    """Return Slack's name for an emoji or for a name in colons; ``None`` if it is unknown."""
    found = _NAMES.get(emoji) or _NAMES.get(emoji + _VARIANT) or _NAMES.get(emoji.rstrip(_VARIANT))
    if found:
        return found
    name = emoji.removeprefix(":").removesuffix(":")
    return name if name.isascii() and _NAME.match(name) else None
