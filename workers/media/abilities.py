"""Names the abilities that a channel's manifest can declare, and its limits of files. Pure."""

from __future__ import annotations

import msgspec

# Words of ``Manifest.can`` that are methods of the plugin, called with an ``Action`` ...
METHODS = frozenset({"edit", "delete", "react", "read", "typing", "history", "chat", "members"})
# ... those that say what ``send`` takes, ``emit`` may hand on, ``run`` may ask for and ``http``
# takes (``uploads``: bodies in files): they need no method ...
PARTS = frozenset({"poll", "buttons", "threads", "login", "uploads"})
# ... and those that are methods, but none that clients call: ``http`` answers HTTP requests.
SERVED = frozenset({"http"})
MEDIA_KINDS = ("image", "audio", "video", "file")


class Media(msgspec.Struct, frozen=True):
    """The files that the platform accepts and delivers.

    ``send`` names the kinds that it takes (``MEDIA_KINDS``), ``receive`` says that messages may
    bring some. ``max_up`` and ``max_down`` are bytes of one file; 0 is no limit that is known.
    Raises ``ValueError`` for an unknown kind and a negative limit.
    """

    send: frozenset[str] = frozenset()
    receive: bool = False
    max_up: int = 0
    max_down: int = 0

    def __post_init__(self) -> None:
        if strange := sorted(set(self.send).difference(MEDIA_KINDS)):
            raise ValueError(f"send: {', '.join(strange)} is none of {', '.join(MEDIA_KINDS)}")
        if self.max_up < 0 or self.max_down < 0:
            raise ValueError("a limit of media is 0 or more bytes; 0 is no limit")
