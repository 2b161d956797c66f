"""Recognizes chat commands to the gateway, and decides their effects and answers. Pure.

Every sender who is admitted may use them, but for those that are the owners' alone
(``commands.ownerAllowFrom``). What is no command here goes to the agent as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from runtime.config.sessions import ANY, CommandsConfig, QueueConfig, QueueMode
from runtime.gateway.conversations.origins import Origin

CommandName = Literal["new", "reset", "stop", "status", "help", "whoami", "queue", "agent"]
Effect = Literal["none", "reset", "stop", "queue", "agent"]

COMMANDS: dict[str, tuple[CommandName, str, str]] = {
    "new": ("new", "/new [message]", "begin anew: what was said before is forgotten"),
    "reset": ("reset", "/reset [message]", "the same as /new"),
    "stop": ("stop", "/stop", "end the turn that runs, and drop what waits"),
    "status": ("status", "/status", "show what this conversation is and does"),
    "help": ("help", "/help", "show this list"),
    "whoami": ("whoami", "/whoami", "show who you are to this account"),
    "queue": ("queue", "/queue [mode|default]", "show or set what becomes of waiting messages"),
    "agent": ("agent", "/agent [id|default]", "show who answers here; owners may choose"),
}
QUEUE_OPTIONS = "Options: collect, followup, interrupt or default, debounce:<ms|s|m>, cap:<number>."
STEER_ANSWER = "steer is not there: messages that come during a turn are followups."
MAX_SHOWN = 120  # characters of what a person wrote that are repeated

# A message that is one of these, and nothing else, ends the turn that runs.
_STOPS = """
    stop, stop it, stop that, stop now, stop please, please stop, abort, cancel, cancel that, halt,
    interrupt, esc, escape, exit, quit, enough, never mind, nevermind, forget it, shut up,
    stopp, abbrechen, abbruch, aufhören, hör auf, bitte aufhören, schluss, vergiss es,
    arrête, arrêtez, arrêter, arrête ça, annule, annuler, ça suffit,
    para, detente, deténgase, alto, basta, cancela, cancelar, parar, pare, chega,
    ferma, fermati, smettila, annulla, hou op, ophouden, annuleren, afbreken,
    sluta, avbryt, stoppa, stans, avbryd, lopeta, keskeytä, przestań, zatrzymaj, anuluj, zastav,
    zrušit, стоп, стой, хватит, остановись, прекрати, отмена, зупинись, досить, скасувати,
    dur, durdur, iptal, yeter, σταμάτα, ακύρωση, עצור, די, توقف, قف, الغاء, रुको, बंद करो, หยุด,
    dừng lại, berhenti, batal, 停, 停止, 停下, 取消, 别说了, 止めて, やめて, ストップ,
    中止, キャンセル, 멈춰, 그만, 중지, 취소
"""
STOP_WORDS = frozenset(word.strip() for word in _STOPS.split(","))
_COMMAND = re.compile(r"/([A-Za-z]+)(?:@(\S+?))?(?::\s*|\s+|\Z)(.*)\Z", re.DOTALL)
_BEHIND_NAMES = (",", ":", " ", "\t", "\n")
_AMOUNT = re.compile(r"(\d{1,9})(ms|s|m)?\Z")
_UNITS = {None: 1, "ms": 1, "s": 1000, "m": 60_000}


class ChatCommand(msgspec.Struct, frozen=True):
    """A command with its argument. ``bare``: a stop word without a slash."""

    name: CommandName
    argument: str = ""
    bare: bool = False


class ChatFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts for answers. Times are seconds; ``tokens`` are input and output."""

    session: str
    agent: str
    route: str  # why this agent answers
    queue: QueueConfig
    agents: Sequence[str] = ()
    running: bool = False
    running_seconds: float = 0.0
    waiting: int = 0
    messages: int = 0
    tokens: tuple[int, int] | None = None
    model: str | None = None
    version: str = ""
    uptime_seconds: float = 0.0


class CommandAnswer(msgspec.Struct, frozen=True):
    """The answer to a command, and its effects.

    ``queue`` and ``agent`` are what the session has from now on; ``None`` is what is configured.
    ``message`` is what goes to the agent afterwards. ``refused``: the sender may not do it.
    """

    text: str
    effect: Effect = "none"
    queue: QueueConfig | None = None
    agent: str | None = None
    message: str | None = None
    refused: bool = False


def read_command(text: str, *, busy: bool, names: Collection[str] = ()) -> ChatCommand | None:
    """Parse a message as a command; ``None`` if it is for the agent.

    ``busy``: a turn runs or a message waits, so a bare word may be meant to stop it. ``names`` are
    those by which the text names the account, as in a group it must: ``@name /stop``,
    ``name: /stop``, ``/stop @name``, ``/stop@name``.
    """
    said = _without(names, text.strip())
    found = _COMMAND.match(said)
    if found is not None:
        word, name, argument = found.groups()
        known = COMMANDS.get(word.lower())
        own = {each.removeprefix("@").casefold() for each in names}
        ours = name is None or name.casefold() in own
        return ChatCommand(known[0], argument.strip()) if known and ours else None
    return ChatCommand("stop", bare=True) if busy and is_stop_word(said) else None


def _without(names: Collection[str], text: str) -> str:
    """Return a text without the account's name at its beginning or, failing that, its end."""
    for name in names:
        wanted, size = name.casefold(), len(name)
        if text[:size].casefold() == wanted and text[size : size + 1] in _BEHIND_NAMES:
            return text[size:].lstrip(",: \t\n")
        if text[-size:].casefold() == wanted and text[-size - 1 : -size] in (" ", ","):
            return text[:-size].rstrip(", ")
    return text


def is_stop_word(text: str) -> bool:
    """Return whether a message consists of a stop word."""
    if len(text) > 64:
        return False
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(each if _is_letter(each) else " " for each in plain)
    return " ".join(kept.split()) in _FOLDED


def is_owner(commands: CommandsConfig, origin: Origin) -> bool:
    """Return whether the author of a message may use the commands of owners."""
    entries = map(str, commands.owner_allow_from or ())
    return any(entry == ANY or origin.is_person(entry) for entry in entries)


def answer(
    command: ChatCommand, facts: ChatFacts, origin: Origin, commands: CommandsConfig
) -> CommandAnswer:
    """Return the answer to a command of an admitted sender, and its effects."""
    match command.name:
        case "new" | "reset":
            text = "A new session begins. What was said before is forgotten."
            return CommandAnswer(text, "reset", message=command.argument or None)
        case "stop":
            return CommandAnswer(_stop(facts), "stop")
        case "status":
            return CommandAnswer(_status(facts))
        case "help":
            return CommandAnswer(_help())
        case "whoami":
            return CommandAnswer(_whoami(facts, origin, owner=is_owner(commands, origin)))
        case "queue":
            return _queue(command.argument, facts)
        case "agent":
            return _agent(command.argument, facts, origin, commands)


def read_queue_words(text: str, current: QueueConfig) -> QueueConfig | str:
    """Return the current settings with those that ``/queue`` names, or the error in them."""
    mode, debounce, cap = current.mode, current.debounce_ms, current.cap
    for word in text.split():
        name, colon, value = word.lower().partition(":")
        amount = _AMOUNT.match(value)
        if not colon and name in ("collect", "followup", "interrupt", "steer"):
            mode = _mode(name)
        elif name == "debounce" and amount and int(amount[1]) * _UNITS[amount[2]] <= 60_000:
            debounce = int(amount[1]) * _UNITS[amount[2]]
        elif name == "cap" and amount and not amount[2] and 1 <= int(amount[1]) <= 1000:
            cap = int(amount[1])
        else:
            return f"{_shown(word)} is none of them. {QUEUE_OPTIONS}"
    return QueueConfig(mode=mode, debounce_ms=debounce, cap=cap)


def _stop(facts: ChatFacts) -> str:
    waited = f"{facts.waiting} waiting {'message' if facts.waiting == 1 else 'messages'}"
    if facts.running:
        return f"Stopped, and {waited} dropped." if facts.waiting else "Stopped."
    return f"Nothing was running; {waited} dropped." if facts.waiting else "Nothing is running."


def _status(facts: ChatFacts) -> str:
    if facts.running:
        doing = f"a turn runs since {_duration(facts.running_seconds)}"
    else:
        doing = "no turn runs"
    lines = [
        f"Trunkline {facts.version}".rstrip(),
        f"Agent: {facts.agent}" + (f" ({facts.model})" if facts.model else ""),
        f"Session: {facts.session}",
        f"Now: {doing}, {facts.waiting} waiting",
        f"Messages: {facts.messages}",
    ]
    if facts.tokens is not None:
        lines.append(f"Tokens: {facts.tokens[0]} in, {facts.tokens[1]} out")
    lines += [_queue_line(facts.queue), f"Up since {_duration(facts.uptime_seconds)}"]
    return "\n".join(lines)


def _help() -> str:
    width = max(len(usage) for _, usage, _ in COMMANDS.values())
    lines = [f"{usage:<{width}}  {what}" for _, usage, what in COMMANDS.values()]
    return "\n".join([*lines, "Everything else goes to the agent."])


def _whoami(facts: ChatFacts, origin: Origin, *, owner: bool) -> str:
    vouched = "" if origin.verified else " (the platform does not vouch for it)"
    lines = [
        f"You: {origin.channel}:{origin.peer}{vouched}",
        f"Account: {origin.channel}:{origin.account}",
        f"Chat: {origin.kind} {origin.chat}",
    ]
    if origin.thread is not None:
        lines.append(f"Thread: {origin.thread}")
    return "\n".join([*lines, f"Session: {facts.session}", f"Owner: {'yes' if owner else 'no'}"])


def _queue(argument: str, facts: ChatFacts) -> CommandAnswer:
    if not argument:
        return CommandAnswer(
            f"{_queue_line(facts.queue)}. {facts.waiting} waiting. {QUEUE_OPTIONS}"
        )
    if argument.lower() in ("default", "reset"):
        return CommandAnswer("The queue is as configured again.", "queue")
    found = read_queue_words(argument, facts.queue)
    if isinstance(found, str):
        return CommandAnswer(found)
    said = f" {STEER_ANSWER}" if found.mode == "steer" else ""
    return CommandAnswer(f"{_queue_line(found)}.{said}", "queue", queue=found)


def _agent(
    argument: str, facts: ChatFacts, origin: Origin, commands: CommandsConfig
) -> CommandAnswer:
    if not argument:
        return CommandAnswer(f"{facts.agent} answers here: {facts.route}.")
    if not is_owner(commands, origin):
        entry = f"{origin.channel}:{origin.peer}"
        whose = entry if origin.verified else f"unverified:{entry}"
        text = (
            "Only an owner may choose the agent. Whoever runs this may add "
            f'"{whose}" to commands.ownerAllowFrom.'
        )
        return CommandAnswer(text, refused=True)
    if argument == "default":
        return CommandAnswer("The agent is as configured again.", "agent")
    if argument not in facts.agents:
        listed = ", ".join(facts.agents) or "none"
        return CommandAnswer(f"There is no agent {_shown(argument)}. There are: {listed}.")
    return CommandAnswer(f"{argument} answers here from now on.", "agent", agent=argument)


def _queue_line(queue: QueueConfig) -> str:
    return f"Queue: {queue.mode}, debounce {queue.debounce_ms or 0} ms, cap {queue.cap}"


def _mode(name: str) -> QueueMode:
    modes: dict[str, QueueMode] = {
        "collect": "collect",
        "followup": "followup",
        "interrupt": "interrupt",
        "steer": "steer",
    }
    return modes[name]


def _shown(text: str) -> str:
    plain = "".join(each if each.isprintable() else " " for each in text)
    return plain if len(plain) <= MAX_SHOWN else f"{plain[:MAX_SHOWN]}…"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def _is_letter(char: str) -> bool:
    """Return whether a character belongs to a word; vowel signs (Hindi, Thai) do."""
    return unicodedata.category(char)[0] in "LM" and char not in _SELECTORS


_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # they only colour an emoji
_FOLDED = frozenset(unicodedata.normalize("NFKC", word).casefold() for word in STOP_WORDS)
