"""What looks like a secret is found in texts, commands and lists of arguments."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ipc.secret_patterns import masked_arguments, masked_command, without_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def_ghi"
SHAPED = [
    "sk-proj-0123456789abcdefghij",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_0123456789abcdefghij_ABCDEFGHIJ",
    "glpat-0123456789abcdefghij",
    "xoxb-1234567890-abcdefghij",
    "xapp-1-A0123456789-abcdefghij",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "hf_0123456789abcdefghijABCDEF",
    "AIzaSy0123456789abcdefghijABCDEFGHIJKLM",
    JWT,
    "123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("pass show irc", None),
        ("cat /run/secrets/irc-token", None),
        ("op read op://vault/irc/password", None),
        ("gpg --passphrase-fd 0 -d x", None),
        ("x --token -v --key", None),
        ("x --passive y --pass-fd 3", None),
        ("x --pass hunter2 y", "x --pass … y"),
        ("x --pass=hunter2 y", "x --pass=… y"),
        ("x --db-pass hunter2 --passphrase hunter2", "x --db-pass … --passphrase …"),
        (
            "env PASS=hunter2 IRC_PASS=hunter2 SSHPASS=hunter2 x",
            "env PASS=… IRC_PASS=… SSHPASS=… x",
        ),
        ("curl https://h/x?pass=zz&y=1", "curl https://h/x?pass=…&y=1"),
        ("vault read -token=s.123 secret/irc", "vault read -token=… secret/irc"),
        ("vault read --token s.123 secret/irc", "vault read --token … secret/irc"),
        ("""x --password "a b" y""", "x --password … y"),
        ("sh -c 'API_KEY=abc run'", "sh -c 'API_KEY=… run'"),
        ("curl -H 'Authorization: Bearer abc' x", "curl -H 'Authorization: Bearer …' x"),
        ("curl -H 'X-Api-Key: abc def' x", "curl -H 'X-Api-Key: …' x"),
        ("curl -H 'PRIVATE-TOKEN: abc' x", "curl -H 'PRIVATE-TOKEN: …' x"),
        ("curl -H 'Cookie: a=b; c=d' x", "curl -H 'Cookie: …' x"),
        ("curl -H X-Api-Key:abc x", "curl -H X-Api-Key:… x"),
        ("""tool '{"apiKey": "abc", "x": 1}'""", """tool '{"apiKey": "…", "x": 1}'"""),
        ("""tool '{"token":"abc"}'""", """tool '{"token":"…"}'"""),
        ("curl -u name:hunter2 x", "curl -u name:… x"),
        ("curl --proxy-user=name:hunter2 x", "curl --proxy-user=name:… x"),
        ("tool -u https://host/path", None),
        ("sshpass -p hunter2 ssh h", "sshpass -p … ssh h"),
        ("sshpass -phunter2 ssh h", "sshpass -p… ssh h"),
        ("mysql -u root -phunter2 db", "mysql -u root -p… db"),
        ("redis-cli -a hunter2 ping", "redis-cli -a … ping"),
        ("openssl enc -pass pass:hunter2", "openssl enc -pass …"),
        ("claude -p --model opus", None),
        ("ssh -p 22 host", None),
        ("docker run -v /run/secrets:/run/secrets x", None),
        ("git clone name:hunter2@host x", "git clone name:…@host x"),
        ("git clone git@host:name/x", None),
        ("curl https://u:p@ss@host/x", "curl https://…@host/x"),
        ("curl https://h/x#access_token=zz", "curl https://h/x#access_token=…"),
        ("x --auth hunter2 --pat hunter2 --pwd=hunter2", "x --auth … --pat … --pwd=…"),
        ("x --author Bob --path /a --ping 3", None),
        ("curl https://u:p@host/x?access_token=zz&y=1", "curl https://…@host/x?access_token=…&y=1"),
    ],
)
def test_a_command_is_shown_without_what_looks_like_a_secret(
    command: str, shown: str | None
) -> None:
    assert masked_command(command, "…") == (shown or command)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["tool", "--token", "abc"], ["tool", "--token", "…"]),
        (["tool", "--token=abc"], ["tool", "--token=…"]),
        (["tool", "--token:abc"], ["tool", "--token:…"]),
        (["tool", "--token", "a b", "-v"], ["tool", "--token", "…", "-v"]),
        (["tool", "--token", "-Xy8abcdefghijkl"], ["tool", "--token", "…"]),
        (["tool", "--token", "-v", "--quiet"], None),
        (["tool", "--pin", 1234], ["tool", "--pin", "…"]),
        (["tool", "--port", 1234, None], None),
        (["tool", "--auth", "abc"], ["tool", "--auth", "…"]),
        (["env", "GH_PAT=abc", "tool"], ["env", "GH_PAT=…", "tool"]),
        (["curl", "-H", "Authorization: Bearer abc"], ["curl", "-H", "Authorization: Bearer …"]),
        (["curl", "-H", "Authorization: abc"], ["curl", "-H", "Authorization: …"]),
        (["curl", "--header=X-Api-Key: abc"], ["curl", "--header=X-Api-Key: …"]),
        (["curl", "-u", "name:abc"], ["curl", "-u", "name:…"]),
        (["curl", "-u", "https://h/x"], None),
        (["curl", "https://u:p@h/x?token=abc"], ["curl", "https://…@h/x?token=…"]),
        (["tool", "--url", "https://u:p@h/x"], ["tool", "--url", "https://…@h/x"]),
        (["redis-cli", "AUTH", "abc"], ["redis-cli", "AUTH", "…"]),
        (
            ["aws", "configure", "set", "aws_secret_access_key", "abc"],
            ["aws", "configure", "set", "aws_secret_access_key", "…"],
        ),
        (["/usr/bin/sshpass", "-p", "abc", "ssh"], ["/usr/bin/sshpass", "-p", "…", "ssh"]),
        (["sshpass", "-pabc", "ssh"], ["sshpass", "-p…", "ssh"]),
        (["pass", "show", "irc"], None),
        (["claude", "-p", "--model", "opus"], None),
        (["sh", "-c", "x --token abc; y"], ["sh", "-c", "x --token …; y"]),
        (["tool", '{"token": "abc"}'], ["tool", '{"token": "…"}']),
        (["tool", {"a": 1}, ["b"]], None),
        ([], None),
    ],
)
def test_arguments_are_shown_without_what_looks_like_a_secret(
    words: list[Any], shown: list[Any] | None
) -> None:
    assert masked_arguments(words, "…") == (words if shown is None else shown)


def test_in_a_list_that_is_no_command_only_options_and_addresses_count() -> None:
    words = ["token", "abc", "#key:abc", "--token", "abc", "https://u:p@h"]
    shown = ["token", "abc", "#key:abc", "--token", "…", "https://…@h"]
    assert masked_arguments(words, "…", command=False) == shown


@pytest.mark.parametrize("secret", SHAPED)
@pytest.mark.parametrize("before", ["", "x ", "'", "a=", "https://h/"])
def test_a_secret_of_a_known_form_is_found_wherever_it_stands(secret: str, before: str) -> None:
    for find in (without_secrets, masked_command):
        assert find(f"{before}{secret} y", "…") == f"{before}… y"


@pytest.mark.parametrize(
    ("word", "times"),
    [
        ("--key", 20_000),
        ("key", 20_000),
        ("?sig", 20_000),
        ("mysql a ", 20_000),
        ("&key", 20_000),
        ("redis-cli -", 20_000),
        # Of these each could begin a secret whose end is not there.
        ("/", 200_000),
        ("=a", 100_000),
        ("+", 200_000),
        ("-u,", 100_000),
    ],
)
def test_a_long_text_of_names_is_read_in_a_time_that_grows_as_it_does(
    word: str, times: int
) -> None:
    text = word[:2] + word * times
    began = time.process_time()
    for read in (without_secrets, masked_command):
        read(text, "…")
    masked_arguments(["x", text, text], "…")
    assert time.process_time() - began < 20  # or it would be minutes


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/services/…"),
        (
            "https://discord.com/api/webhooks/123456789012345678/abcdefghij0123456789",
            "https://discord.com/api/webhooks/…",
        ),
        (
            "https://api.telegram.org/bot123456789:AAabcdefghijklmnopqrstuvwxyz0123456/getMe",
            "https://api.telegram.org/bot…/getMe",
        ),
    ],
)
def test_an_address_that_is_a_secret_is_shown_without_it(address: str, shown: str) -> None:
    assert without_secrets(address, "…") == shown


@pytest.mark.parametrize(
    "text",
    [
        "channels.telegram.accounts.a.botToken: must be a string",
        "secret env:TOKEN: is not set",
        "sk-learn-classifier-of-words",
        "npm_config_registry_of_mine",
        "12:34:56 token",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert without_secrets(text, "…") == text
