"""Finds what looks like a secret in texts, addresses and commands. Pure.

Better one harmless value too many than one password in a bug report. The patterns are compiled by
their first use, for no start needs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# PASS, SSHPASS, password, passphrase; not passive, nor --passphrase-fd and -file, which name none.
PASSWORD_NAME = r"pass(?:w|code|phrase(?!-f)|(?![a-z]|-f))"  # noqa: S105 - a pattern of names

# The name of an option or a variable that holds a secret. Of short words the whole one: author,
# path and ping are none.
SENSITIVE_NAME = (
    rf"(?:token|{PASSWORD_NAME}|secret|credential|key|authorization|cookie"
    r"|(?<![a-z])(?:auth|bearer|jwt|pat|pin|psk|pwd)(?![a-z]))"
)
# What stands before and behind it in a longer name. Bounded, as is all that may begin at each place
# of a text without spaces and is not found there: megabytes would take hours.
_WORDS, _LETTERS, _DOTTED = r"[\w-]{0,200}", r"\w{0,200}", r"[\w.-]{0,200}"
# The name of a parameter of an address that holds one: a signature opens what it is for, too.
SENSITIVE_PARAMETER = rf"{_DOTTED}(?:{SENSITIVE_NAME}|sig){_DOTTED}="

# user:password@host; a password may hold an @ itself.
LOGIN = r"""[^/\s?\#'"]+(?=@)"""

# Secrets that are known by their form, wherever they stand.
SHAPES = r"""(?:
    (?<![\w.-]) (?= [\w.+/=-]{0,200} \d ) (?:
        sk-[\w-]{16,} | gh[opsur]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}   # models, forges
        | xox[a-z]-[\w-]{10,} | xoxe\.xox[bp]-[\w-]{10,} | xapp-[\w-]{10,}         # Slack
        | whsec_[\w+/=-]{16,} | hf_\w{20,} | npm_\w{20,} | hvs\.[\w-]{20,}
        | AIza[\w-]{30,} | ya29\.[\w-]{20,}                                        # Google
        | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*                                       # JWT
    )
    | (?<!\d) \d{6,12}:[\w-]{30,}                                                  # Telegram
    | (?<=hooks\.slack\.com/services/) [\w/-]+
    | (?<=/webhooks/) \d{15,}/[\w-]{20,}                                           # Discord
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*
)"""

_IN_TEXT = rf"""(?P<before>
        (?<![\w-]) --? {_WORDS} {SENSITIVE_NAME} {_WORDS} (?: = | \s+ (?!-) )  # --token=… --token …
        | (?<![\w-]) {_LETTERS} {SENSITIVE_NAME} {_LETTERS} =         # API_KEY=…
        | [?&;\#] {SENSITIVE_PARAMETER}                             # ?access_token=…
        | \b (?: bearer | basic ) \s+
        | ://                                                       # user:password@host
    )
    (?: (?<=://) {LOGIN}
        | (?<!://) (?: "[^"]*" | '[^']*' | [^\s'"&;\#]+ ) )
    | {SHAPES}"""

# Short options of programs, with which a secret is given to them; others mean something else by it.
_SHORT = (
    ("-p", r"sshpass|mysql\w*|mariadb[\w-]*|7z\w*"),
    ("-a", r"redis-cli|https?"),
    ("-w", r"ldap\w+"),
    ("-P", r"mosquitto_\w+|ipmitool|zip|unzip"),
    ("-U", r"smbclient"),
)
_SHORT_IN_COMMAND = "|".join(
    rf"(?<![\w-])(?:{programs})\s(?:[^|;&\n]{{0,1000}}?\s)??{option}\s*"
    for option, programs in _SHORT
)
# Options for a name with its password behind a colon: curl -u name:password.
_LOGIN_OPTION = r"(?:-u|-U|--(?:proxy-|http-)?user(?:pwd)?|--login|--basic|--creds)"
# A header of HTTP, a member of JSON or YAML, or pass:… of openssl: a name, and the value behind it.
_NAMED = rf"""(?<![\w-]) {_WORDS} {SENSITIVE_NAME} {_WORDS} ["']? \s* :"""
_SCHEME = r"(?: (?:bearer|basic|digest|token|bot|apikey) \s+ )?"

_IN_COMMAND = rf"""(?P<quoted>
        {_NAMED} (?: \s+ ["']? | ["'] ) {_SCHEME}
    ) [^"'\r\n]+
    | (?P<direct>
        {_NAMED} (?!/)
        | (?<![\w-]) {_LOGIN_OPTION} (?: = | \s* ) ["']? [^\s:/'"=]{{1,200}} : (?!//)
        | {_SHORT_IN_COMMAND}
    ) (?: "[^"]*" | '[^']*' | [^\s'",;\}}]+ )
    | (?P<login> (?<![\w./@-]) [\w.+-]{{1,200}} : ) [^\s/'"@:]+ (?=@[\w\[])
    | {_IN_TEXT}"""
_FLAGS = re.IGNORECASE | re.VERBOSE | re.DOTALL

# What stands alone in a list of arguments, before its value.
_OPTION = rf"--?{_WORDS}{SENSITIVE_NAME}{_WORDS}"
_WORD = rf"[a-z_]{_WORDS}{SENSITIVE_NAME}|{SENSITIVE_NAME}"  # AUTH, aws_secret_access_key
_ASSIGNED = rf"({_OPTION})[=:](.*)"
_NEXT_OPTION = r"--.*|-\w[\w-]{0,10}"  # a secret may begin with a hyphen, too


def without_secrets(text: str, mark: str) -> str:
    """Return a text with ``mark`` for what looks like a secret in it.

    The value of ``--token`` or ``API_KEY=``, a password or token in an address, what stands
    behind ``Bearer``, a token of a known form: whoever wrote one into a command is not to find
    it in an error.
    """
    return _replaced(_IN_TEXT, text, mark)


def masked_command(command: str, mark: str) -> str:
    """Return a command line with ``mark`` for what looks like a secret in it.

    Beside what ``without_secrets`` finds these are values behind names with a colon (headers,
    JSON), passwords of ``-u name:password``, and those of programs that have a short option.
    """
    return _replaced(_IN_COMMAND, command, mark)


def masked_arguments(words: Sequence[Any], mark: str, *, command: bool = True) -> list[Any]:
    """Return a list with ``mark`` for what looks like a secret in it.

    A ``command`` begins with the program; without one only options and addresses are considered.
    An item that is no text is secret only behind a name that says so.
    """
    result: list[Any] = []
    names = rf"{_OPTION}|{_WORD}" if command else _OPTION
    before = ""
    short: str | None = None
    for index, word in enumerate(words):
        named = before == short or _matches(names, before)
        result.append(_masked_word(word, before, short, mark, named=named, command=command))
        before = word if isinstance(word, str) else ""
        if command:
            short = _short_option(before) or short
            before = before if index or before.startswith("-") else ""  # a program called pass
    return result


def _masked_word(
    word: Any, before: str, short: str | None, mark: str, *, named: bool, command: bool
) -> Any:
    if not isinstance(word, str):
        return mark if named and type(word) in (int, float) else word
    if named and word and not _matches(_NEXT_OPTION, word):
        return mark
    if (given := re.fullmatch(_ASSIGNED, word, _FLAGS)) and given[2]:
        return f"{word[: given.start(2)]}{mark}"
    if not command:
        return without_secrets(word, mark)
    if short and word.startswith(short) and word != short:
        return f"{short}{mark}"
    name, colon, _ = word.partition(":")
    if colon and _matches(_LOGIN_OPTION, before) and "://" not in word:
        return f"{name}:{mark}"
    return masked_command(word, mark)


def _short_option(word: str) -> str | None:
    """Return the short option by which a program is given a secret; ``None`` for no such one."""
    name = word.rpartition("/")[2]
    return next((option for option, programs in _SHORT if _matches(programs, name)), None)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, _FLAGS) is not None


def _replaced(pattern: str, text: str, mark: str) -> str:
    def masked(found: re.Match[str]) -> str:
        groups = found.groupdict()
        return f"{next((each for each in groups.values() if each is not None), '')}{mark}"

    return re.sub(pattern, masked, text, flags=_FLAGS)
