"""Accounts are added and removed without spoiling a person's file."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from runtime.config.edit.accounts import add_account, remove_account
from runtime.config.errors import ConfigError
from runtime.config.load import load
from tests.runtime.config.example import known, write

JSON5 = """\
// mine
{
    // the gateway
    gateway: { port: 5 }, // a port
    channels: {
        talk: {
            server: 's', // for all
            accounts: {
                a: { port: 1 }, // the first
                // about b
                b: {
                    port: 2,
                }
            },
        },
    },
}
"""

TOML = """\
# mine
[gateway]
port = 5 # a port

[channels.talk]
server = "s" # for all

[channels.talk.accounts.a] # the first
port = 1

# about b
[channels.talk.accounts.b]
port = 2
"""


def test_an_account_is_added_to_json5_and_nothing_else_changes(tmp_path: Path) -> None:
    path = write(tmp_path, JSON5)
    loaded = add_account(path, "talk:c", {"port": "3", "rooms": "#x, #y"}, known())
    assert loaded.accounts["talk:c"].config == {"server": "s", "port": 3, "rooms": ["#x", "#y"]}
    new = '                c: { port: 3, rooms: ["#x", "#y"] }\n'
    head, tail = JSON5.split("                }\n", 1)
    assert path.read_text() == f"{head}                }},\n{new}{tail}"
    assert load(path, known()).accounts == loaded.accounts


def test_an_account_is_removed_from_json5_with_the_comment_on_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, JSON5)
    assert list(remove_account(path, "talk:a", known()).accounts) == ["talk:b"]
    assert path.read_text() == JSON5.replace("                a: { port: 1 }, // the first\n", "")


def test_an_account_is_added_to_toml_and_nothing_else_changes(tmp_path: Path) -> None:
    path = write(tmp_path, TOML, "trunkline.toml")
    fields = {"port": "3", "password": '{source: "env", id: "P"}', "signin.user": "u"}
    fields["signin.password"] = "p"
    loaded = add_account(path, "talk:c", fields, known())
    assert loaded.accounts["talk:c"].config["password"] == {"source": "env", "id": "P"}
    added = (
        '\n[channels.talk.accounts.c]\nport = 3\npassword = {source = "env", id = "P"}\n'
        'signin = {user = "u", password = "p"}\n'
    )
    assert path.read_text() == TOML + added


def test_an_account_is_removed_from_toml(tmp_path: Path) -> None:
    path = write(tmp_path, TOML, "trunkline.toml")
    assert list(remove_account(path, "talk:a", known()).accounts) == ["talk:b"]
    assert "# mine\n" in path.read_text()
    assert "accounts.a" not in path.read_text()


@pytest.mark.parametrize("name", ["trunkline.json5", "trunkline.json", "trunkline.toml"])
def test_the_last_account_leaves_an_empty_list_behind(tmp_path: Path, name: str) -> None:
    """Or the channel's fields would become an account of their own."""
    text = {
        "trunkline.json5": "{channels: {talk: {server: 's', accounts: {a: {}}}}}",
        "trunkline.json": '{"channels": {"talk": {"server": "s", "accounts": {"a": {}}}}}',
        "trunkline.toml": '[channels.talk]\nserver = "s"\n[channels.talk.accounts.a]\n',
    }[name]
    path = write(tmp_path, text, name)
    assert remove_account(path, "talk:a", known()).accounts == {}
    assert list(add_account(path, "talk:b", {}, known()).accounts) == ["talk:b"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trunkline.json5", "{}"),
        ("trunkline.json5", "{channels: {}}"),
        ("trunkline.json5", "{gateway: {port: 1}}"),
        ("trunkline.json5", "{channels: {talk: {accounts: {x: {server: 's'}}}}}"),
        ("trunkline.json", '{\n  "gateway": {"port": 1}\n}\n'),
        ("trunkline.toml", ""),
        ("trunkline.toml", "[channels]\n"),
        ("trunkline.toml", "[channels.talk]\nenabled = true\n"),
        ("trunkline.toml", "channels.talk.enabled = true\n"),
    ],
)
def test_an_account_can_be_added_to_any_file_and_removed_again(
    tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path, text, name)
    before = set(load(path, known()).accounts)
    added = add_account(path, "talk:new", {"server": "s"}, known())
    assert set(added.accounts) == before | {"talk:new"}
    assert set(remove_account(path, "talk:new", known()).accounts) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trunkline.json5", "{channels: {talk: {server: 's'}}}"),
        ("trunkline.toml", '[channels.talk]\nserver = "s"\n'),
    ],
)
def test_the_implicit_account_stays_when_a_second_one_comes(
    tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path, text, name)
    assert list(add_account(path, "talk:b", {}, known()).accounts) == ["talk:default", "talk:b"]


ALLOWED = "allowed: CHANNEL:ACCOUNT, each 1 to 64 letters, digits, '.', '_' or '-', the first"


@pytest.mark.parametrize(
    ("key", "fields", "said"),
    [
        ("talk", {}, f"'talk' is no account; {ALLOWED}"),
        ("talk:a b", {}, f"'talk:a b' is no account; {ALLOWED}"),
        (":a", {}, f"':a' is no account; {ALLOWED}"),
        ("tolk:x", {}, "channels.tolk: unknown channel (did you mean talk?); allowed: talk"),
        ("odd:x", {}, "channels.odd: their-package: ImportError"),
        ("talk:a", {}, "channels.talk.accounts.a: exists already; edit it in the file"),
        ("talk:c", {"prot": "1"}, "channels.talk.accounts.c.prot: unknown field (did you mean po"),
        ("talk:c", {"port": "x"}, "channels.talk.accounts.c.port: is a string; allowed: an integ"),
        ("talk:c", {"port": "0"}, "channels.talk.accounts.c.port: is 0; allowed: an integer from"),
        ("talk:c", {"tls": "si"}, "channels.talk.accounts.c.tls: is a string; allowed: true or f"),
        ("talk:c", {"port": "6667"}, "channels.talk.accounts.c: port 6667 speaks no TLS"),
        (
            "talk:c",
            {"signin.user": "u"},
            "channels.talk.accounts.c.signin.password: is missing; al",
        ),
    ],
)
def test_what_cannot_be_added_leaves_the_file_untouched(
    tmp_path: Path, key: str, fields: dict[str, str], said: str
) -> None:
    path = write(tmp_path, JSON5)
    with pytest.raises(ConfigError) as caught:
        add_account(path, key, fields, known(odd="their-package: ImportError"))
    assert str(caught.value).startswith(f"{path}: {said}")
    assert path.read_text() == JSON5
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (JSON5, "talk:c", "channels.talk.accounts.c: there is no such account; there are: a, b"),
        (JSON5, "odd:c", "channels.odd.accounts.c: there is no such account; there are: none"),
        (JSON5, "odd", "'odd' is no account; allowed: CHANNEL:ACCOUNT, each 1 to 64"),
        (
            "{channels: {talk: {server: 's'}}}",
            "talk:default",
            "channels.talk: is this account itself; remove the section from the file",
        ),
        (
            "{channels: {talk: {defaultAccount: 'a', accounts: {a: {}, b: {}}}}}",
            "talk:a",
            "channels.talk.defaultAccount: names an account that does not exist; allowed: b",
        ),
        ("{channels: []}", "talk:a", "channels.talk.accounts.a: there is no such account; there"),
    ],
)
def test_what_cannot_be_removed_leaves_the_file_untouched(
    tmp_path: Path, text: str, key: str, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        remove_account(path, key, known())
    assert str(caught.value).startswith(f"{path}: {said}")
    assert path.read_text() == text


def test_the_implicit_account_cannot_be_added(tmp_path: Path) -> None:
    path = write(tmp_path, "{channels: {talk: {server: 's'}}}")
    with pytest.raises(ConfigError, match=r"channels\.talk: is this account already"):
        add_account(path, "talk:default", {}, known())


def test_a_broken_account_can_be_removed(tmp_path: Path) -> None:
    path = write(tmp_path, "{channels: {talk: {accounts: {a: {prot: 1}, b: {}}}}}")
    assert list(remove_account(path, "talk:a", known()).accounts) == ["talk:b"]


def test_what_is_wrong_elsewhere_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, "{gateway: {port: 0}}")
    with pytest.raises(ConfigError, match=r"gateway\.port: is 0; allowed"):
        add_account(path, "talk:a", {}, known())
    assert path.read_text() == "{gateway: {port: 0}}"


def test_a_toml_that_cannot_be_changed_well_is_not_changed(tmp_path: Path) -> None:
    text = 'channels = {talk = {server = "s", accounts = {a = {}}}}\n'
    path = write(tmp_path, text, "trunkline.toml")
    with pytest.raises(ConfigError) as caught:
        add_account(path, "talk:b", {}, known())
    said = "is written in a way that this cannot change; edit it by hand"
    assert str(caught.value) == f"{path}: {said}"
    assert path.read_text() == text


def test_two_edits_wait_for_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, JSON5)
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ids = [f"n{number}" for number in range(4)]
    threads = [
        threading.Thread(target=add_account, args=(path, f"talk:{each}", {}, known()))
        for each in ids
    ]
    for thread in threads:
        thread.start()
    assert path.read_text() == JSON5
    os.close(lock)
    for thread in threads:
        thread.join()
    assert {f"talk:{each}" for each in ids} < set(load(path, known()).accounts)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none" / "trunkline.json5"
    with pytest.raises(ConfigError) as caught:
        remove_account(path, "talk:a", known())
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"
