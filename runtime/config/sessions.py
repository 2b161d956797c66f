"""Defines the fields of conversations: sessions, bindings of agents, queues, commands. Pure.

The fields are named as OpenClaw names them. ``validate_…`` functions find what the types alone
cannot: each problem has its place, relative to the part, and names what is allowed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Literal, get_args

from msgspec import Meta

from runtime.config.access_policy import UNVERIFIED
from runtime.config.errors import Problem
from runtime.config.fields import Section, Text
from runtime.config.wording import unknown
from workers.groups import Entry
from workers.plugin import REMOTE
from workers.registry import ID, ID_RULE

DmScope = Literal["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]
GroupScope = Literal["per-account", "per-channel"]
QueueMode = Literal["collect", "followup", "interrupt", "steer"]
PeerKind = Literal["direct", "group", "channel"]
SilentReplies = Literal["allow", "disallow"]

ANY = "*"
# What has a session without a chat.
NamedKind = Literal[
    "cron",
    "hook",
    "openai",
    "openai-user",
    "openresponses",
    "openresponses-user",
    "dashboard",
    "explicit",
    "acp-bridge",
    "subagent",
]
# Words of a session's key, by which it is taken apart: a person cannot be linked to one.
KEY_WORDS = frozenset({"main", "topic", "thread", "run", *get_args(PeerKind), *get_args(NamedKind)})
# What writes to a local account is a script as a rule: it counts its answers.
MODE_OF_CHANNEL: dict[str, QueueMode] = {"local": "followup"}
# Telegram cuts what people paste, and albums, into messages that come at once.
DEBOUNCE_OF_CHANNEL = {"telegram": 300}


class ResetConfig(Section, frozen=True):
    """When a conversation resets automatically: the agent then starts without its history.

    Whichever is due first counts.
    """

    idle_minutes: Annotated[
        Annotated[int, Meta(ge=1, le=525_600)] | None,
        Meta(
            description="Minutes without a message after which a conversation begins anew; "
            "without it never."
        ),
    ] = None
    daily_hour: Annotated[
        Annotated[int, Meta(ge=0, le=23)] | None,
        Meta(
            description="Hour of the day (0 to 23) after which a conversation begins anew with "
            "the next message; without it never."
        ),
    ] = None
    zone: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(
            description="Time zone of `dailyHour`, such as `Europe/Berlin`; without it that of "
            "the host."
        ),
    ] = None


class SilentReplyConfig(Section, frozen=True):
    """Whether an agent may choose not to answer, with NO_REPLY."""

    # In a direct chat nobody is left without an answer; in groups it is OpenClaw's default, too.
    group: Annotated[
        SilentReplies,
        Meta(description="Whether the answer NO_REPLY of an agent sends nothing in groups."),
    ] = "disallow"


class SessionConfig(Section, frozen=True):
    """Which messages share a conversation, which an agent remembers."""

    # OpenClaw's default is main, by which everybody who writes to an agent shares what it
    # remembers: here that is asked for.
    dm_scope: Annotated[
        DmScope,
        Meta(
            description="What direct chats must have in common to be one conversation: the "
            "agent (`main`), also the person (`per-peer`), also the channel, also "
            "the account."
        ),
    ] = "per-account-channel-peer"
    # OpenClaw's is per-channel, by which groups of one name on two IRC networks share one, too.
    group_scope: Annotated[
        GroupScope,
        Meta(
            description="Whether two accounts in one group have a conversation each "
            "(`per-account`), or share one (`per-channel`)."
        ),
    ] = "per-account"
    # With dmScope per-peer they are one conversation over all channels.
    identity_links: Annotated[
        dict[str, list[Text]],
        Meta(
            description='People with several ids, by name: `{ada: ["telegram:12", "irc:ada"]}`; '
            "only ids that the platform verifies, except with `unverified:…`."
        ),
    ] = {}
    reset: Annotated[
        ResetConfig,
        Meta(
            description="When a conversation begins anew automatically: at the earlier of both "
            "times."
        ),
    ] = ResetConfig()
    silent_reply: Annotated[
        SilentReplyConfig, Meta(description="Whether an agent may decide not to answer.")
    ] = SilentReplyConfig()


class PeerMatch(Section, frozen=True):
    """A chat: the person of a direct one, or a group. ``*``: all of that kind."""

    kind: Annotated[
        PeerKind,
        Meta(
            description="The kind of chat; `group` and `channel` both mean chats that are not "
            "direct."
        ),
    ]
    # Only people for whose id the platform vouches, but for "unverified:ID".
    id: Annotated[
        Entry, Meta(description="The id of the person or the group; `*`: all of that kind.")
    ]


class BindingMatch(Section, frozen=True):
    """The messages that a binding applies to. All fields that are set must match."""

    channel: Annotated[Text, Meta(description="The channel from which a message must come.")]
    # As in OpenClaw.
    account_id: Annotated[
        Text | None,
        Meta(
            description="The account that must have received it, `*` for every one; without it "
            "the channel's default account."
        ),
    ] = None
    peer: Annotated[
        PeerMatch | None, Meta(description="The chat in which it must be; without it any.")
    ] = None
    thread: Annotated[
        Entry | None,
        Meta(description="The thread or topic of the group that `peer` names; without it any."),
    ] = None
    guild_id: Annotated[
        Entry | None,
        Meta(description="The server of Discord from which it must come; without it any."),
    ] = None
    roles: Annotated[
        Annotated[list[Entry], Meta(min_length=1)] | None,
        Meta(description="Roles on that server of which the sender must have one; without it any."),
    ] = None
    team_id: Annotated[
        Entry | None,
        Meta(description="The workspace of Slack from which it must come; without it any."),
    ] = None


class BindingConfig(Section, frozen=True):
    """The agent for certain messages. The most specific binding applies, then the first one."""

    agent_id: Annotated[
        Text, Meta(description="The agent that answers; `none`: the gateway's clients.")
    ]
    match: Annotated[
        BindingMatch,
        Meta(description="The messages to which this applies: all fields that are set must match."),
    ]


class QueueOverride(Section, frozen=True):
    """The overrides for one channel."""

    mode: Annotated[
        QueueMode | None,
        Meta(description="The `queue.mode` of this channel; without it the general one."),
    ] = None
    debounce_ms: Annotated[
        Annotated[int, Meta(ge=0, le=60_000)] | None,
        Meta(description="The `queue.debounceMs` of this channel; without it the general one."),
    ] = None
    cap: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="The `queue.cap` of this channel; without it the general one."),
    ] = None


class QueueConfig(Section, frozen=True):
    """What to do with messages that arrive while an agent answers an earlier one of the session."""

    # OpenClaw's default is steer, which is followup here.
    mode: Annotated[
        QueueMode,
        Meta(
            description="Whether all waiting messages become one turn (`collect`), each becomes "
            "one (`followup`, `steer`), or the newest cancels the running one "
            "(`interrupt`); for `local` always `followup`, unless `byChannel` sets "
            "it."
        ),
    ] = "collect"
    debounce_ms: Annotated[
        Annotated[int, Meta(ge=0, le=60_000)] | None,
        Meta(
            description="Milliseconds without another message before a turn begins, in mode "
            "`collect`; without it 300 for telegram, 0 for other channels."
        ),
    ] = None
    cap: Annotated[
        int,
        Meta(ge=1, le=1000),
        Meta(
            description="Messages that may wait in one session; further ones are not accepted, "
            "and the chat is informed."
        ),
    ] = 20
    by_channel: Annotated[
        dict[str, QueueOverride],
        Meta(description="Other values for single channels, by name."),
    ] = {}


class CommandsConfig(Section, frozen=True):
    """Commands in chats, such as /new."""

    owner_allow_from: Annotated[
        Annotated[list[Entry], REMOTE] | None,
        Meta(
            description="People who may use commands for owners, such as `telegram:12` or "
            "`unverified:irc:ada`, `*` for all; without it nobody."
        ),
    ] = None


def queue_of(config: QueueConfig, channel: str) -> QueueConfig:
    """Return the settings for a channel, without ``None`` in any field."""
    own = config.by_channel.get(channel, QueueOverride())
    debounce = config.debounce_ms if own.debounce_ms is None else own.debounce_ms
    return QueueConfig(
        mode=own.mode or MODE_OF_CHANNEL.get(channel, config.mode),
        debounce_ms=DEBOUNCE_OF_CHANNEL.get(channel, 0) if debounce is None else debounce,
        cap=own.cap or config.cap,
    )


def validate_session(session: SessionConfig, channels: Collection[str]) -> list[Problem]:
    """Return the errors of ``session``; ``channels`` are the names of installed ones."""
    found = []
    zone = session.reset.zone
    if zone is not None and not _is_zone(zone):
        text = f"is no time zone: {zone!r}; allowed: a name as Europe/Berlin or UTC"
        found.append(Problem("reset.zone", text))
    if zone is not None and session.reset.daily_hour is None:
        text = "has no effect; allowed only beside dailyHour"
        found.append(Problem("reset.zone", text))
    return found + list(_link_problems(session.identity_links, channels))


def validate_bindings(
    bindings: Sequence[BindingConfig],
    agents: Collection[str],
    accounts: Mapping[str, Collection[str]],
) -> list[Problem]:
    """Return the errors of ``bindings``.

    ``agents`` are the ids of agents, ``accounts`` the ids of accounts by channel.
    """
    found: list[Problem] = []
    matches = [binding.match for binding in bindings]
    for number, binding in enumerate(bindings):
        path = f"[{number}]"
        if binding.agent_id not in {*agents, "none"}:
            text = unknown(binding.agent_id, {*agents, "none"}, "agent")
            found.append(Problem(f"{path}.agentId", text))
        found += _match_problems(binding.match, f"{path}.match", accounts)
        first = matches.index(binding.match)
        if first < number:
            text = f"is the same as in [{first}], which comes first: this one has no effect"
            found.append(Problem(f"{path}.match", text))
    return found


def validate_queue(queue: QueueConfig, channels: Collection[str]) -> list[Problem]:
    """Return the errors of ``queue``."""
    return [
        Problem(f"byChannel.{name}", unknown(name, channels, "channel"))
        for name in queue.by_channel
        if name not in channels
    ]


def validate_commands(commands: CommandsConfig, channels: Collection[str]) -> list[Problem]:
    """Return the errors of ``commands``."""
    found = []
    for number, entry in enumerate(commands.owner_allow_from or ()):
        text = None if entry == ANY else _identity_problem(str(entry), channels)
        if text is not None:
            found.append(Problem(f"ownerAllowFrom[{number}]", text))
    return found


def _match_problems(
    match: BindingMatch, path: str, accounts: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    if match.channel not in accounts:
        yield Problem(f"{path}.channel", unknown(match.channel, accounts, "channel"))
    elif match.account_id not in {None, ANY, *accounts[match.channel]}:
        text = unknown(str(match.account_id), {ANY, *accounts[match.channel]}, "account")
        yield Problem(f"{path}.accountId", text)
    if match.roles is not None and match.guild_id is None:
        yield Problem(f"{path}.roles", "says nothing alone; allowed only beside guildId")
    if match.thread is None:
        return
    if match.peer is None:
        yield Problem(f"{path}.thread", "is the id of a thread in a chat; name that in peer, too")
    elif match.peer.id == ANY:
        text = 'is "*"; allowed beside thread: the id of the chat to which the thread belongs'
        yield Problem(f"{path}.peer.id", text)


def _link_problems(
    links: Mapping[str, Sequence[str]], channels: Collection[str]
) -> Iterator[Problem]:
    named: dict[str, str] = {}
    for name, entries in links.items():
        path = f"identityLinks.{name}"
        if not ID.match(name):
            yield Problem(path, f"impossible name; allowed: {ID_RULE}")
        elif name in KEY_WORDS:
            yield Problem(path, "has a meaning in keys of sessions; allowed: any other name")
        for number, entry in enumerate(entries):
            text = _identity_problem(entry, channels)
            same = entry.removeprefix(UNVERIFIED)
            if text is None and named.setdefault(same, name) != name:
                text = f"is linked to {named[same]} already; allowed: one name for each id"
            if text is not None:
                yield Problem(f"{path}[{number}]", text)


def _identity_problem(entry: str, channels: Collection[str]) -> str | None:
    """Return what is wrong with a person's id of the form ``channel:id``."""
    channel, _, person = entry.removeprefix(UNVERIFIED).partition(":")
    if not person.strip():
        return "names no person; allowed: the channel and the id, as telegram:12"
    return None if channel in channels else unknown(channel, channels, "channel")


def _is_zone(name: str) -> bool:
    from zoneinfo import available_timezones  # late: it reads how Python was built, in 3 ms

    return name in available_timezones()
