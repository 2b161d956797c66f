"""Defines a channel: its manifest, its plugin, and the context that the plugin gets.

The manifest imports no SDK, so that the supervisor, the gateway and the command line can
validate and list accounts without the cost and the faults of a platform's library. Only the
account's worker imports the plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from ipc.hidden_fields import hide_secrets
from workers.login import Ask as Ask
from workers.login import Code as Code
from workers.login import LoginPrompt
from workers.login import Open as Open
from workers.login import Qr as Qr
from workers.media.abilities import PARTS, SERVED
from workers.media.abilities import Media as Media
from workers.media.interface import MediaFiles as MediaFiles
from workers.media.interface import MediaReader as MediaReader
from workers.messages import Happened, Inbound, Outbound, Sent
from workers.messages import HttpRequest as HttpRequest
from workers.messages import HttpResponse as HttpResponse
from workers.text.limits import Pace as Pace
from workers.text.limits import Rate as Rate
from workers.text.limits import Text as Text

if TYPE_CHECKING:
    import aiohttp  # for a type only, as
    import structlog  # for a type only: its import costs the command line 0.1 s

# Marks of a configuration's fields: ``server: Annotated[str, LOCAL]``. A local field runs or loads
# code, chooses where a secret is sent, or opens files: with ``gateway.remoteExec: false`` it is
# changed on this host alone. REMOTE states that a field, whatever its name, is none of these.
LOCAL = Meta(extra={"local": True})
REMOTE = Meta(extra={"local": False})

T = TypeVar("T")


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct, cached: msgspec resolves them anew each time (0.7 ms)."""
    return msgspec.structs.fields(struct)


def unset_fields(struct: type[msgspec.Struct], config: Mapping[str, Any]) -> str | None:
    """Return which fields without a default value are not in ``config``, as a text, or ``None``."""
    missing = [
        field.encode_name
        for field in fields_of(struct)
        if field.required and config.get(field.encode_name) in (None, "")
    ]
    return f"{', '.join(missing)} not set" if missing else None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a channel; what an entry point of ``trunkline.channels`` names.

    ``config`` is a msgspec struct (camelCase on the wire, unknown fields forbidden) of one
    account; ``secrets`` names those of its fields that hold secrets: they may be references
    ``{source, id}`` in the file, arrive resolved in the plugin, and are never shown, not even by
    ``repr`` of the struct. A struct inside it hides its own (``ipc.hidden_fields``).
    Fields that run or load code, choose where a secret is sent, or open files are marked ``LOCAL``.
    ``secret_parts`` names text fields, or lists of texts, of which only a part is secret; each
    function returns that part, the last of its kind in the text, or ``None``.
    ``plugin`` is an import string, ``package.module:Class``. ``extra`` names the packages
    to install for it. ``can`` names what the channel can do beside sending text, in the words
    of ``workers.media.abilities``, and any others that the plugin's ``act`` takes;
    ``actions`` is another name for it, and holds afterwards what ``message.action`` takes.
    ``media`` are the files that go and come. ``idempotent``: for so many seconds the platform
    knows the key of a message again, and does not take it twice. ``typing``: for so many seconds it
    shows that the account types; the worker repeats that as long as it is wanted. ``status`` holds
    the first values of the fields that the plugin reports. ``cursor``: the plugin keeps a position
    there (``Context.cursor``), and is not started before the last one is there. ``text`` is what
    the platform takes in one message, ``pace`` how fast it takes them.
    ``dm_policy``: who may talk to an account that does not say so itself; ``open`` only where
    something else keeps strangers out. ``groups`` is how the field is called that lists groups:
    ``guilds`` for servers with channels (``meta.guild`` and ``meta.roles`` of a message name the
    server and the sender's roles). ``ignore_case``: ids that differ in case alone are one.
    """

    id: str
    label: str
    config: type[msgspec.Struct]
    plugin: str
    detail_label: str = ""
    system_image: str = "bubble.left"
    secrets: frozenset[str] = frozenset()
    secret_parts: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    extra: Sequence[str] = ()
    actions: frozenset[str] = frozenset({"send"})
    example: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    cursor: bool = False
    text: Text = field(default_factory=Text)
    pace: Pace = field(default_factory=Pace)
    can: frozenset[str] = frozenset()
    media: Media = field(default_factory=Media)
    idempotent: float = 0.0
    dm_policy: Literal["pairing", "allowlist", "open"] = "pairing"
    groups: Literal["groups", "guilds", "channels"] = "groups"
    ignore_case: bool = False
    typing: float = 0.0

    def __post_init__(self) -> None:
        can = frozenset(self.can) | frozenset(self.actions) - {"send"}
        object.__setattr__(self, "can", can)
        object.__setattr__(self, "actions", can - PARTS - SERVED | {"send"})
        # msgspec learns a type at its first use: once in the zygote, which imports this for all
        # workers, instead of in each of them (1 ms and 0.4 MiB).
        if isinstance(self.config, type) and issubclass(self.config, msgspec.Struct):
            msgspec.json.Decoder(self.config)
        hide_secrets(self.config, (*self.secrets, *self.secret_parts))

    def abilities(self) -> dict[str, Any]:
        """Return what clients may offer on this channel, as ``channels.status`` shows it."""
        shown: dict[str, Any] = {"can": sorted(self.can)}
        if self.text.limit:
            shown["text"] = {"limit": self.text.limit, "unit": self.text.unit}
        if self.media != Media():
            shown["media"] = {
                "send": sorted(self.media.send),
                "receive": self.media.receive,
                "maxUp": self.media.max_up,
                "maxDown": self.media.max_down,
            }
        if self.idempotent:
            shown["idempotent"] = self.idempotent
        return shown

    def wrong_secret(self, name: str, value: str) -> str | None:
        """Return what is wrong with the form of a secret typed for field ``name``.

        It goes on from the name ("is not a bot token: …"); ``None``: nothing that is known.
        """
        return None

    def unconfigured(self, config: Mapping[str, Any]) -> str | None:
        """Return why the account cannot run yet (a missing field, say); ``None`` when it can.

        ``config`` holds the account's fields after inheritance, secrets as references. A
        field that is absent makes it unconfigured; a wrong one fails validation instead. By
        default every field of the struct that has no default value must be there.
        """
        return unset_fields(self.config, config)

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return one line for people that identifies the account: its server or its login."""
        return ""


class Receipt(Protocol):
    """What ``emit`` and ``mark`` return: await it to wait until they are durable."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until all of it is acknowledged: now, and only now, confirm it to the platform.

        Raises ``CancelledError`` when the worker ends before.
        """

    @property
    def durable(self) -> bool:
        """True once it is stored. Where the account has no journal, it never is: then it was
        handed on when the receipt was fulfilled.
        """


class ChildProgram(Protocol):
    """A program that ``Context.child`` has started; its stderr goes to the account's log."""

    pid: int

    async def write(self, value: Any) -> None:
        """Write a value as one line of JSON; raises ``ConnectionError`` when it has ended."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the values that it prints, one line of JSON each."""

    async def wait(self) -> int:
        """Return its exit code once it has ended; negative: the signal that ended it."""

    def kill(self) -> None:
        """Kill it and what it started in its session."""


class Context(Protocol):
    """What a plugin may use; everything else belongs to the worker."""

    key: str
    account_id: str
    config: Any  # the manifest's config struct, secrets resolved
    storage: Path  # a directory of this account alone, mode 0700, kept over restarts
    run_dir: Path  # short path for sockets of this boot
    log: structlog.typing.FilteringBoundLogger
    proxy: str | None  # the URL of that which the account connects through; ``http`` does

    @property
    def cursor(self) -> Any:
        """The last durable cursor, there before ``run`` begins; ``None`` at first."""

    async def emit(self, *what: Inbound | Happened, cursor: Any = None) -> Receipt:
        """Emit messages, and what else has happened; wait while too many are unacknowledged.

        That is the back-pressure. It returns when there is room, not when they are safe: for
        that, await the receipt.
        ``cursor``, JSON of at most 64 KiB, is the position at the platform after them. It is
        stored together with the last of them.
        """

    def mark(self, cursor: Any) -> Receipt:
        """Store a cursor without a message, once everything emitted so far is stored."""

    async def safe(self) -> None:
        """Wait until everything emitted and marked so far is durable."""

    def identity(self, id: str) -> None:
        """Report the account's identity at the platform (the id of the bot, the phone number).

        Call it before the first ``emit``. A cursor belongs to an identity: when another is
        named than the one that it was stored for, it is dropped, and ``cursor`` is ``None``.
        """

    async def login(self, prompt: LoginPrompt, *, expires: float | None = None) -> Any:
        """Ask a person to log the account in, before ``ready``; wait until it is done.

        ``Ask`` returns the answer, ``Open`` the query with which its page has led back. ``Qr`` and
        ``Code`` return at once, with ``None``: call ``ready`` when the platform says that it was
        done, or ``login`` again with the next code. A prompt takes the place of the one before.
        ``expires``: seconds for which it holds. Raises ``LoginExpired`` when nothing was answered
        in that time; within ``login.withinSeconds`` of the first prompt the account is stopped.
        """

    def opened(self, state: str, query: Mapping[str, str]) -> bool:
        """Complete the ``Open`` that has this ``state``; return whether there is one.

        For a plugin that takes the redirect of the page itself.
        """

    @property
    def credentials(self) -> Any:
        """What ``save_credentials`` has kept, ``None`` at first."""

    async def save_credentials(self, credentials: Any) -> None:
        """Store what a login has brought (JSON, at most 1 MiB); ``None`` removes it.

        It is a file of mode 0600 in ``storage``. It is removed with ``LoggedOut`` and a final
        ``NeedsLogin``, too.
        """

    @property
    def fresh_credentials(self) -> bool:
        """Whether the configured secrets have changed since the credentials were saved.

        Then these belong to the old ones: log in anew. False where none are kept.
        """

    async def child(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ChildProgram:
        """Start a program, without a shell, that ends with this process, however that dies."""

    async def thread(self, function: Callable[..., T], *args: Any) -> T:
        """Return what ``function(*args)`` returns in a thread: never block the loop."""

    def from_thread(self, awaitable: Awaitable[T]) -> T:
        """Await something from such a thread: ``receipt = ctx.from_thread(ctx.emit(message))``."""

    @property
    def http(self) -> aiohttp.ClientSession:
        """A session of aiohttp through the account's ``proxy``, with time limits."""

    @property
    def media(self) -> MediaFiles:
        """The files of the account's messages, which come and go as ``media:<id>``."""

    def url(self, path: str = "") -> str | None:
        """Return the address at which the platform reaches ``http`` with this ``path``.

        ``None`` where that is not known: the account has no ``ingress: true``, or the
        configuration no ``gateway.publicUrl``, on which it stands.
        """

    def same(self, one: str | bytes, other: str | bytes) -> bool:
        """Return whether two secrets or signatures are equal, compared in constant time."""

    def hmac(self, key: str | bytes, data: str | bytes, digest: str = "sha256") -> bytes:
        """Return the signature of ``data`` under ``key``, HMAC of RFC 2104."""

    def ready(self) -> None:
        """Report that the account works now (connected, logged in).

        Every plugin must call it within ``restart.readyWithinSeconds``; an account that does
        not is stopped and tried again later.
        """

    def status(self, **fields: Any) -> None:
        """Report the connection: any of ``ipc.frames.status.PLUGIN_FIELDS`` (snake_case here).

        Raises ``ValueError`` for a field that is not the plugin's to set.
        """


class Plugin(Protocol):
    """The code of one account. Made as ``Class(ctx)`` in the worker, on its event loop."""

    async def run(self) -> None:
        """Stay connected until cancelled. Returning counts as a failure; see ``workers.errors``.

        Cancelled when the account is stopped: close the connection and let the cancellation pass.
        """

    async def send(self, message: Outbound) -> Sent:
        """Send one message. Raises ``SendFailed`` when it was not sent."""

    # Optional, for each word of the manifest's ``can`` that is a method: ``async def edit(self,
    # action: Action) -> dict | None``, and so ``delete``, ``react``, ``read``, ``typing``;
    # ``history`` returns a list of ``Inbound``, ``members`` one of ``Sender``, ``chat`` a ``Chat``.
    # Raise ``SendFailed`` when it was not done. ``act`` takes each word without a method.
    # For ``http``: ``async def http(self, request: HttpRequest) -> HttpResponse``, within 10 s.
    # ``async def probe(self) -> dict``: does the login work? ``async def logout(self) -> bool``:
    # end it; was there one? ``@staticmethod async def check_login(config, http) -> str``: who?
