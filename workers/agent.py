"""Defines an agent: its manifest, its class, its context, and its turns.

An agent runs in a process of its own, whose key is ``agent:<id>``, and answers any number of
conversations at once. Its manifest imports no SDK, as that of a channel (``workers.plugin``);
only the agent's process imports the class. What a turn consists of is JSON between that process
and the gateway: names are camelCase there, absent fields are omitted, times are epoch
milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from ipc.hidden_fields import hide_secrets
from workers.errors import Misconfigured as Misconfigured
from workers.errors import NeedsLogin as NeedsLogin
from workers.errors import RateLimited as RateLimited
from workers.errors import Transient as Transient
from workers.errors import TurnRefused as TurnRefused
from workers.errors import TurnTooLarge as TurnTooLarge
from workers.media.interface import MediaFiles
from workers.messages import MAX_TEXT, Attachment, Chat, Id, Sender
from workers.plugin import LOCAL as LOCAL
from workers.plugin import REMOTE as REMOTE
from workers.plugin import ChildProgram, unset_fields

if TYPE_CHECKING:
    import aiohttp  # for a type only, as
    import structlog  # for a type only: its import costs the command line 0.1 s

T = TypeVar("T")
Kind = Literal[
    "transient",
    "rate_limited",
    "refused",
    "too_large",
    "misconfigured",
    "needs_login",
    "failed",
]


@dataclass(frozen=True, slots=True)
class AgentManifest:
    """The description of a kind of agent; what an entry point of ``trunkline.agents`` names.

    ``id`` is the kind, ``label`` its name for people. ``config`` is a msgspec struct (camelCase on
    the wire, unknown fields forbidden) of one agent; ``secrets`` names those of its fields that
    hold secrets: they may be references ``{source, id}`` in the file, arrive resolved in the agent,
    and are never shown, not even by ``repr`` of the struct. ``secret_parts`` names text fields, or
    lists of texts, of which only a part is secret; each function returns that part, the last of its
    kind in the text, or ``None``.
    Fields that run or load code, choose where a secret is sent, or open files are marked ``LOCAL``.
    ``agent`` is an import string, ``package.module:Class``; ``extra`` names the packages to install
    for it. ``late`` names modules that it imports with its first turn; where there are several
    agents of the kind they are imported beforehand, once for all. ``attached``: it has no process
    and no class, a client of the gateway answers in its place. ``example`` are values with which an
    agent of this kind can be tried. ``status`` holds the first values of the fields that the agent
    reports. ``lacks`` names what a turn may ask for and the kind takes no notice of: ``model``,
    ``thinking``, ``instructions``, ``tools``; answers to clients name those as ignored.
    ``programs``: its turns are programs of this host, whose memory counts as the agent's. So an
    agent has the memory limits of its own entry only: the general ones are for a worker alone.
    """

    id: str
    label: str
    config: type[msgspec.Struct]
    agent: str
    secrets: frozenset[str] = frozenset()
    secret_parts: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    extra: Sequence[str] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    attached: bool = False
    late: Sequence[str] = ()
    lacks: Collection[str] = ()
    programs: bool = False

    def __post_init__(self) -> None:
        hide_secrets(self.config, (*self.secrets, *self.secret_parts))

    def lacking(self, config: Mapping[str, Any]) -> Collection[str]:
        """Return what a turn may ask for and the agent takes no notice of, see ``lacks``."""
        return self.lacks

    def unconfigured(self, config: Mapping[str, Any]) -> str | None:
        """Return why the agent cannot run yet (a missing field, say); ``None`` when it can.

        ``config`` holds the agent's own fields, secrets as references. By default every field of
        the struct that has no default value must be there.
        """
        return unset_fields(self.config, config)

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return one line for people that identifies the agent: its model or its address."""
        return ""


class HistoryItem(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An entry of the conversation before this turn, the oldest first.

    ``name`` is the sender's in a group, or the tool's. ``calls`` are those of tools that the
    assistant has made, ``call`` is the id of the one whose result this is.
    """

    role: Literal["user", "assistant", "tool", "notice"]
    text: str
    at: int
    name: str | None = None
    calls: list[ToolCall] = []
    call: str | None = None


class Turn(msgspec.Struct, rename="camel", omit_defaults=True):
    """A request for an agent to answer: a text of a person or a program, with its context.

    ``run`` is the same when a turn is repeated after a crash of the agent: use it as the key where
    something may be done only once. ``session`` names the conversation; ``history`` holds as much
    of it as the configuration says. ``sender``, ``account`` (its key) and ``chat`` say where the
    text came from, and are ``None`` for a client of the gateway. ``abilities`` are those of the
    account's channel, as ``Manifest.abilities`` returns them. At ``deadline`` the turn is ended.
    ``instructions`` come from the caller, beside the agent's own. ``model`` and ``thinking`` are
    asked for in this turn. ``tools``, ``tool_choice`` are the caller's own tools, in the shape of
    the OpenAI API; a call of one is yielded as ``ToolCall``, and its result comes with another
    turn: in its history, or in ``results``, which ``text`` says in words for models without tools.
    ``heartbeat``: nobody has written, the agent may have something to say by itself.
    ``cancelled`` becomes true when the turn is cancelled, for code in threads; on the loop
    ``CancelledError`` is raised where the turn awaits.
    """

    run: Id
    session: Id
    agent: Id
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    deadline: int
    history: list[HistoryItem] = []
    attachments: list[Attachment] = []
    sender: Sender | None = None
    account: str | None = None
    chat: Chat | None = None
    abilities: dict[str, Any] = {}
    instructions: str | None = None
    model: str | None = None
    thinking: str | None = None
    tools: list[Any] = []
    tool_choice: Any = None
    results: list[HistoryItem] = []
    heartbeat: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        """Mark the turn as cancelled."""
        self.cancelled = True


class Delta(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="delta", gc=False):
    """The next piece of the answer's text."""

    text: str


class ToolCall(
    msgspec.Struct,
    frozen=True,
    rename="camel",
    tag_field="type",
    tag="toolCall",
    omit_defaults=True,
):
    """A tool call: made by the agent itself, or to be made by the client that offered the tool.

    ``arguments`` are an object, or the text that the model has written.
    """

    id: str
    name: str
    arguments: dict[str, Any] | str = {}


class ToolResult(
    msgspec.Struct,
    frozen=True,
    rename="camel",
    tag_field="type",
    tag="toolResult",
    omit_defaults=True,
):
    """The result of the agent's own tool call ``id``."""

    id: str
    output: str = ""
    failed: bool = False


class Notice(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="notice", gc=False):
    """A notice that is not part of the answer, such as a step of the work."""

    text: str


class Usage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The cost of a turn in tokens."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """The sum of all tokens."""
        return self.input + self.output + self.cache_read + self.cache_write


class Final(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The end of a turn, and its answer.

    ``text`` is the whole answer; ``None`` stands for all deltas together. An empty one without
    attachments is no answer. ``stop_reason`` is the provider's word (``stop``, ``length``,
    ``tool_calls``), ``model`` the one that has answered.
    """

    text: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    model: str | None = None
    attachments: list[Attachment] = []


TurnEvent = Delta | ToolCall | ToolResult | Notice


class TurnOutcome(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The outcome of a turn: an answer, an error, a cancellation, or its deadline.

    ``final`` is there in the state ``final``; its text is then the whole answer. ``kind`` and
    ``error`` are there in the state ``error``: ``kind`` is the class of the exception, ``failed``
    where it has none of those below. ``error`` is for the log, not for people in a chat.
    ``retry_after``: seconds before which the provider wants no further request.
    """

    state: Literal["final", "error", "aborted", "timeout"]
    final: Final | None = None
    kind: Kind | None = None
    error: str = ""
    retry_after: float | None = None


class AgentContext(Protocol):
    """What an agent may use; everything else belongs to its process."""

    key: str  # ``agent:<id>``
    agent_id: str
    config: Any  # the manifest's config struct, secrets resolved
    storage: Path  # a directory of this agent alone, mode 0700, kept over restarts
    run_dir: Path  # short path for sockets of this boot
    log: structlog.typing.FilteringBoundLogger
    proxy: str | None  # the URL of that which the agent connects through; ``http`` does

    async def child(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ChildProgram:
        """Start a program, without a shell, that ends with this process, however that dies."""

    async def thread(self, function: Callable[..., T], *args: Any) -> T:
        """Return what ``function(*args)`` returns in a thread: never block the loop."""

    def from_thread(self, awaitable: Awaitable[T]) -> T:
        """Await something from such a thread, and return its result."""

    @property
    def http(self) -> aiohttp.ClientSession:
        """A session of aiohttp through the agent's ``proxy``, with time limits."""

    @property
    def media(self) -> MediaFiles:
        """The files of the turns, which come and go as ``media:<id>``."""

    def status(self, **fields: Any) -> None:
        """Report the connection: any of ``ipc.frames.status.PLUGIN_FIELDS`` (snake_case here).

        Raises ``ValueError`` for a field that is not the agent's to set.
        """


class Agent(Protocol):
    """The code of one agent. Made as ``Class(ctx)`` in its process, on its event loop.

    It is ready once it is made. Turns run side by side, any number of them.
    """

    def turn(self, turn: Turn) -> AsyncIterator[TurnEvent | Final]:
        """Answer one turn: an asynchronous generator that yields its events, then ``Final``.

        Without a ``Final`` the answer is all deltas together. The next item is asked for when
        there is room for it: that is the back-pressure. A turn that is cancelled, or over its
        deadline, gets ``CancelledError`` where it awaits. Raises, and the class decides what the
        gateway does: ``Transient``, ``RateLimited``, ``TurnRefused``, ``TurnTooLarge``,
        ``Misconfigured``, ``NeedsLogin``. An ``OSError`` or what libraries raise when the network
        fails counts as ``Transient``; everything else is a fault of the agent. No exception of a
        turn ends the process or another turn.
        """

    # Optional: ``async def run(self) -> None``: be there until cancelled, keep a connection say.
    # Returning counts as a failure of the agent; see ``workers.errors``.
