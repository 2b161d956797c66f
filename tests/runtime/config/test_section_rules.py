"""Every way in which the section of a channel or an account can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.config.example import refused


def test_only_a_channel_that_takes_http_gets_any(tmp_path: Path) -> None:
    (line,) = refused(
        tmp_path, "{channels: {talk: {server: 's', ingress: true, accounts: {a: {}}}}}"
    )
    assert "talk.accounts.a.ingress: is true; allowed only for channels that take HTTP" in line


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "{serve: 's'}",
            ".serve: unknown field (did you mean server?); allowed: accounts, agent, a",
        ),
        (
            "{accounts: {a: {serve: 's'}}}",
            ".accounts.a.serve: unknown field (did you mean server?)",
        ),
        ("{enabled: 1}", ".enabled: is 1; allowed: true or false"),
        ("{accounts: []}", ".accounts: is a list; allowed: an object"),
        ("{accounts: {a: 5}}", ".accounts.a: is 5; allowed: an object with enabled, name"),
        ("{accounts: {a: null}}", ".accounts.a: is null; allowed: an object with enabled, name"),
        ("{accounts: {a: {enabled: 'no'}}}", ".accounts.a.enabled: is a string; allowed: true or"),
        ("{accounts: {a: {proxy: 'http://user:word@p'}}}", ".accounts.a.proxy: "),
        ("{accounts: {a: {launcher: 'x'}}}", ".accounts.a.launcher: is 'x'; allowed: \"exec\" | "),
        (
            "{accounts: {a: {confine: true}}}",
            '.accounts.a.confine: is true; allowed only beside launcher: "exec"',
        ),
        (
            "{confine: true, launcher: 'exec', accounts: {a: {launcher: 'zygote'}}}",
            '.accounts.a.confine: is true; allowed only beside launcher: "exec"',
        ),
        (
            "{accounts: {a: {agent: 'x'}}}",
            ".accounts.a.agent: is 'x': unknown agent; allowed: echo, none",
        ),
        ("{accounts: {a: {name: 5}}}", ".accounts.a.name: is 5; allowed: a string of at most 200"),
        ("{accounts: {a: {port: 0}}}", ".accounts.a.port: is 0; allowed: an integer from 1 to"),
        ("{port: 0, accounts: {a: {}}}", ".port: is 0; allowed: an integer from 1 to 65535"),
        (
            "{accounts: {a: {pingSeconds: 0}}}",
            ".accounts.a.pingSeconds: is 0; allowed: a number of",
        ),
        ("{accounts: {a: {style: 'fat'}}}", ".accounts.a.style: is 'fat'; allowed: \"plain\" | "),
        ("{accounts: {a: {rooms: '#x'}}}", ".accounts.a.rooms: is a string; allowed: a list of: a"),
        ("{accounts: {a: {rooms: ['#x', 'y']}}}", ".accounts.a.rooms[1]: is a string; allowed: a "),
        ("{accounts: {a: {labels: {k: 'v'}}}}", ".accounts.a.labels.k: is a string; allowed: an i"),
        ("{accounts: {a: {password: 5}}}", ".accounts.a.password: is 5; allowed: a string, or a r"),
        (
            "{accounts: {a: {password: {source: 'file', id: 'relative'}}}}",
            ".accounts.a.password: id must be an absolute path (/… or ~/…)",
        ),
        (
            "{accounts: {a: {password: {source: 'exec', id: \"pass 'x\"}}}}",
            ".accounts.a.password: id must be a command line: No closing quotation",
        ),
        (
            "{accounts: {a: {signin: {user: {source: 'env', id: 'U'}, password: 'p'}}}}",
            ".accounts.a.signin.user: is an object; allowed: a string",
        ),
        (
            "{accounts: {a: {signin: {password: 'p'}}}}",
            ".accounts.a.signin.user: is missing; allowe",
        ),
        (
            "{accounts: {a: {signin: {usr: 'u'}}}}",
            ".accounts.a.signin.usr: unknown field (did you m",
        ),
        ("{accounts: {a: {restart: 5}}}", ".accounts.a.restart: is 5; allowed: an object"),
        ("{accounts: {a: {restart: {tries: 5}}}}", ".accounts.a.restart.tries: unknown field"),
        ("{restart: {jitter: 2}, accounts: {a: {}}}", ".restart.jitter: is 2; allowed: a number "),
        (
            "{restart: {initialSeconds: 200}, accounts: {a: {restart: {maximumSeconds: 100}}}}",
            ".accounts.a.restart: maximumSeconds (100) must not be less than initialSeconds (200)",
        ),
        (
            "{accounts: {a: {server: 's', port: 6667}}}",
            ".accounts.a: port 6667 speaks no TLS",
        ),
        (
            "{defaultAccount: 'b', accounts: {a: {}}}",
            ".defaultAccount: names an account that does not exist; allowed: a",
        ),
        (
            "{defaultAccount: 'b', accounts: {}}",
            ".defaultAccount: names an account that does not exist; allowed: none, there are no",
        ),
    ],
)
def test_a_wrong_channel_or_account(tmp_path: Path, section: str, said: str) -> None:
    lines = refused(tmp_path, f"{{channels: {{talk: {section}}}}}")
    assert lines[0].startswith(f":1: channels.talk{said}")


@pytest.mark.parametrize("id", ["", "a b", "-a", ".a", "a:b", "a#1", "ä", "a/b", "x" * 65, "a\\n"])
def test_an_impossible_account_id(tmp_path: Path, id: str) -> None:
    (line,) = refused(tmp_path, f'{{channels: {{talk: {{accounts: {{"{id}": {{}}}}}}}}}}')
    assert "impossible account id; allowed: 1 to 64 letters, digits, '.', '_' or '-', the" in line


def test_a_rule_is_asked_with_references_too(tmp_path: Path) -> None:
    account = "{server: 's', port: 6667, password: {source: 'env', id: 'P'}}"
    (line,) = refused(tmp_path, f"{{channels: {{talk: {{accounts: {{a: {account}}}}}}}}}")
    assert line.endswith("channels.talk.accounts.a: port 6667 speaks no TLS")


def test_our_fields_of_a_broken_channel_are_still_judged(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "{channels: {odd: {accounts: {b: {enabled: 2}}}}}", odd="no")
    assert "channels.odd.accounts.b.enabled: is 2; allowed: true or false" in line
