"""Decides how the client keeps its nick and logs in to NickServ. Pure.

Lines and the time go in, lines come out. The wanted nick is tried again at once when its
holder is seen to leave, else every ``regain_seconds``. With NickServ the nick can be taken
back. NickServ answers in free text for people, so only the wait for the login (at most
``LOGIN_SECONDS``) depends on understanding it.
"""

from __future__ import annotations

from workers.channels.irc.config import IrcConfig
from workers.channels.irc.features import Features
from workers.channels.irc.lines import Line, line, one_word
from workers.channels.irc.outputs import Output, SendLine, StatusChanged, Warned

LOGIN_SECONDS = 5.0  # joins wait this long for NickServ: some channels want a login
GHOST_SECONDS = 2.0  # from asking NickServ for the nick to taking it
_NOT_YET = frozenset({"432", "433", "436", "437", "438"})
_WELCOMES = ("identified", "logged in", "recognized", "recognised", "accepted")


class IrcIdentity:
    """The nick and the login of one connection; ``nick`` is the present one."""

    def __init__(self, config: IrcConfig) -> None:
        self.nick = config.nick
        self.user = ""
        self.host = ""
        self.logged_in: bool | None = None  # None: not known
        self.nickserv_text = ""  # the last answer of NickServ
        self._config = config
        self._features = Features()
        self._regain_at: float | None = None
        self._take_at: float | None = None
        self._settled_at: float | None = None

    def on_welcome(self, nick: str) -> None:
        """Adopt the nick with which the server accepted the registration."""
        self.nick = nick

    def start(self, now: float, features: Features) -> list[Output]:
        """Return the lines that log in and ask for the wanted nick."""
        self._features = features
        out: list[Output] = []
        if self._config.nickserv is not None:
            self._settled_at = now + LOGIN_SECONDS
            out += self._identify() if self._wanted or self._config.nickserv.account else []
        if not self._wanted:
            out += self._regain(now) if self._taken_back else []
            self._regain_at = self._regain_at or now + self._config.regain_seconds
        return out

    def set_features(self, features: Features) -> None:
        """Set the features of the server, by whose case mapping nicks are compared."""
        self._features = features

    @property
    def settled(self) -> bool:
        """True when nothing waits for NickServ any longer."""
        return self._settled_at is None

    @property
    def due(self) -> float | None:
        """The time of the next ``on_timer``, in monotonic seconds; ``None``: none is needed."""
        times = (self._regain_at, self._take_at, self._settled_at)
        return min((at for at in times if at is not None), default=None)

    def mask_bytes(self, user_bytes: int, host_bytes: int) -> int:
        """Return the length of our ``nick!user@host``.

        ``user_bytes`` and ``host_bytes`` are assumed for parts that are not known yet.
        """
        user = len(self.user.encode()) or user_bytes
        host = len(self.host.encode()) or host_bytes
        return len(self.nick.encode()) + 1 + user + 1 + host

    def on_timer(self, now: float) -> list[Output]:
        """Return the lines that are due."""
        out: list[Output] = []
        if self._settled_at is not None and self._settled_at <= now:
            self._settled_at = None
        if self._take_at is not None and self._take_at <= now:
            self._take_at = None
            out += self._claim_nick()
        if self._regain_at is not None and self._regain_at <= now:
            out += self._regain(now)
        return out

    def receive(self, got: Line, now: float) -> list[Output]:
        """Return the outputs for a line about this client or about the holder of its nick."""
        fold = self._features.fold
        mine = fold(got.nick) == fold(self.nick)
        match got.command:
            case "JOIN" if mine:
                self._update_mask(got.source)
            case "NICK" if mine and one_word(got.param(0)):
                return self._on_renamed(got.param(0), now)
            case "NICK" | "QUIT" if fold(got.nick) == fold(self._config.nick) and not mine:
                return self._claim_nick()
            case "CHGHOST" if mine:
                self.user, self.host = got.param(0), got.param(1)
            case "396":
                self.host = got.param(1).rpartition("@")[2]
            case "900":
                return self._login(True)
            case "901":
                return self._login(False)
            case "MODE" if fold(got.param(0)) == fold(self.nick) and _sets(got.param(1), "r"):
                return self._login(True)
            case "NOTICE" if self._from_service(got):
                return self._on_service(got.text)
            case command if command in _NOT_YET and fold(got.param(1)) == fold(self._config.nick):
                self._regain_at = self._regain_at or now + self._config.regain_seconds
        return []

    @property
    def _wanted(self) -> bool:
        return self._features.fold(self.nick) == self._features.fold(self._config.nick)

    @property
    def _taken_back(self) -> bool:
        """True when NickServ may be asked to take the nick from its holder."""
        nickserv = self._config.nickserv
        return nickserv is not None and nickserv.on_collision != "none"

    def _update_mask(self, mask: str) -> None:
        user_host = mask.partition("!")[2]
        if user_host:
            self.user, _, self.host = user_host.partition("@")

    def _on_renamed(self, nick: str, now: float) -> list[Output]:
        self.nick = nick
        if not self._wanted:
            self._regain_at = now + self._config.regain_seconds
            return [Warned(f"renamed to {nick}"), StatusChanged()]
        self._regain_at = self._take_at = None
        login = [] if self.logged_in else self._identify()
        return [*login, StatusChanged()]

    def _claim_nick(self) -> list[Output]:
        return [] if self._wanted else [SendLine(line("NICK", self._config.nick), urgent=True)]

    def _regain(self, now: float) -> list[Output]:
        self._regain_at = now + self._config.regain_seconds
        nickserv = self._config.nickserv
        if nickserv is None or nickserv.on_collision == "none":
            return self._claim_nick()
        self._take_at = now + GHOST_SECONDS
        command = nickserv.on_collision.upper()
        return [self._service_line(f"{command} {self._config.nick} {nickserv.password}")]

    def _identify(self) -> list[Output]:
        nickserv = self._config.nickserv
        if nickserv is None:
            return []
        words = [word for word in (nickserv.account, nickserv.password) if word]
        return [self._service_line(f"IDENTIFY {' '.join(words)}")]

    def _service_line(self, text: str) -> SendLine:
        assert self._config.nickserv is not None
        return SendLine(line("PRIVMSG", self._config.nickserv.service, text), urgent=True)

    def _from_service(self, got: Line) -> bool:
        nickserv = self._config.nickserv
        fold = self._features.fold
        service = nickserv.service.partition("@")[0] if nickserv else ""
        return bool(service) and fold(got.nick) == fold(service)

    def _on_service(self, text: str) -> list[Output]:
        self.nickserv_text = text
        if self._take_at is not None:  # the answer to GHOST or REGAIN: the nick may be free
            self._take_at = None
            return [*self._claim_nick(), StatusChanged()]
        words = text.lower()
        if any(welcome in words for welcome in _WELCOMES) and " not " not in f" {words} ":
            return self._login(True)
        return [StatusChanged()]

    def _login(self, logged_in: bool) -> list[Output]:
        self.logged_in = logged_in
        self._settled_at = None
        return [StatusChanged()]


def _sets(modes: str, mode: str) -> bool:
    plus = False
    for character in modes:
        if character in "+-":
            plus = character == "+"
        elif character == mode and plus:
            return True
    return False
