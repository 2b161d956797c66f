"""Every way in which a configuration file can be wrong, and what the operator is told."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.errors import ConfigError
from runtime.config.http_model import CanvasHostConfig
from runtime.config.load import (
    config_warnings,
    doubtful_secrets,
    doubts,
    effective,
    load,
    load_effective,
    load_text,
)
from runtime.config.model import Config
from runtime.config.places import Flags, Places, resolve
from tests.runtime.config.example import known, read, refused, write


def test_an_empty_object_is_all_defaults(tmp_path: Path) -> None:
    loaded = read(tmp_path, "{}")
    assert loaded.config.gateway.port == 18789
    assert loaded.config.gateway.bind == "loopback"
    assert loaded.config.agents.default == "echo"
    assert loaded.accounts == {}


def test_json5_and_toml_give_the_same(tmp_path: Path) -> None:
    json5 = read(
        tmp_path,
        """{ // a comment
          gateway: { port: 1234, auth: { token: 'x' }, },
          channels: { talk: { accounts: { a: { server: "s" } } } },
        }""",
    )
    toml = read(
        tmp_path,
        '[gateway]\nport = 1234\nauth.token = "x"\n[channels.talk.accounts.a]\nserver = "s"\n',
        "trunkline.toml",
    )
    assert json5.config == toml.config
    assert json5.accounts == toml.accounts


def test_a_profile_has_its_own_port_unless_the_file_says_one(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    assert load(path, known(), default_port=20001).config.gateway.port == 20001
    path = write(tmp_path, "{gateway: {port: 5}}")
    assert load(path, known(), default_port=20001).config.gateway.port == 5


def test_the_revision_changes_with_every_byte(tmp_path: Path) -> None:
    first, second = read(tmp_path, "{}").revision, read(tmp_path, "{ }").revision
    assert first != second
    assert len(first) == 16
    assert read(tmp_path, "{}").revision == first


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff{gateway: {port: 7}}").config.gateway.port == 7


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{gatway: {}}",
            "gatway: unknown field (did you mean gateway?); allowed: agents, bindings",
        ),
        ("{gateway: {prot: 1}}", "gateway.prot: unknown field (did you mean port?); allowed: "),
        ("{gateway: {port: 0}}", "gateway.port: is 0; allowed: an integer from 1 to 65535"),
        ("{gateway: {port: 65536}}", "gateway.port: is 65536; allowed: an integer from 1 to"),
        ("{gateway: {port: '1'}}", "gateway.port: is a string; allowed: an integer from 1"),
        ("{gateway: {port: 1.5}}", "gateway.port: is 1.5; allowed: an integer from 1 to 65535"),
        ("{gateway: {port: null}}", "gateway.port: is null; allowed: an integer from 1"),
        ("{gateway: {port: [1]}}", "gateway.port: is a list; allowed: an integer from 1"),
        ("{gateway: {port: 1" + "0" * 40 + "}}", "gateway.port: is a very large number; allowed:"),
        ("{gateway: 5}", "gateway: is 5; allowed: an object with port, bind, auth"),
        ("{gateway: {bind: 'lann'}}", 'gateway.bind: is \'lann\'; allowed: "loopback" | "lan" |'),
        ("{gateway: {bind: ''}}", "gateway.bind: is an empty string; allowed: a string of 1 to"),
        (
            "{gateway: {auth: {mode: 'nobody'}}}",
            'gateway.auth.mode: is \'nobody\'; allowed: "none" | "password"',
        ),
        ("{gateway: {auth: {token: ''}}}", "gateway.auth.token: is an empty string; allowed:"),
        ("{gateway: {auth: {token: 5}}}", "gateway.auth.token: is 5; allowed: a string of 1 to"),
        (
            "{gateway: {auth: {token: {source: 'vault', id: 'x'}}}}",
            "gateway.auth.token.source: is 'vault'; "
            'allowed: "credential" | "env" | "exec" | "file"',
        ),
        ("{gateway: {auth: {token: {source: 'env'}}}}", "gateway.auth.token.id: is missing; "),
        (
            "{gateway: {auth: {token: {source: 'env', id: 'A B'}}}}",
            "gateway.auth.token: id must be the name of an environment variable",
        ),
        ("{gateway: {reload: {mode: 'hybird'}}}", "gateway.reload.mode: is 'hybird'; allowed: "),
        ("{gateway: {reload: {debounceMs: -1}}}", "gateway.reload.debounceMs: is -1; allowed: an"),
        (
            "{gateway: {allowedOrigins: ['https://a', 5]}}",
            "gateway.allowedOrigins[1]: is 5; allowed: ",
        ),
        ("{gateway: {command: []}}", "gateway.command: is a list; allowed: a list of at le"),
        ("{gateway: {command: ['a'], url: 'ws://x'}}", "gateway.url: stands beside gateway.comm"),
        ("{gateway: {url: 'http://x'}}", "gateway.url: is no address of a gateway; allowed: ws:"),
        ("{gateway: {url: 'ws://[x'}}", "gateway.url: is no address of a gateway; allowed: ws:"),
        ("{gateway: {attach: 'always'}}", "gateway.attach: is 'always'; allowed: "),
        ("{gateway: {reloadSignal: 'SIGUSR2'}}", "gateway.reloadSignal: has no meaning without"),
        ("{gateway: {repairCommand: ['x']}}", "gateway.repairCommand: has no meaning without"),
        (
            "{gateway: {url: 'ws://x'}, channels: {talk: {accounts: {a: {server: 's'}}}}}",
            "channels.talk.accounts.a: cannot run beside a gateway that is not Trunkline's",
        ),
        (
            "{agents: {default: 'gpt'}}",
            "agents.default: is 'gpt': unknown agent; allowed: echo, none",
        ),
        ("{supervisor: {beatSeconds: Infinity}}", "supervisor.beatSeconds: is inf; allowed: a fin"),
        (
            f"{{channels: {{talk: {{allowFrom: [0x{'f' * 5000}]}}}}}}",
            "channels.talk.allowFrom[0]: is a very large number; allowed: a number of at most",
        ),
        ("{supervisor: {beatSeconds: NaN}}", "supervisor.beatSeconds: is nan; allowed: a finite"),
        ("{gateway: {allowedOrigins: [NaN]}}", "gateway.allowedOrigins[0]: is nan; allowed: a fin"),
        ("{supervisor: {beatSeconds: true}}", "supervisor.beatSeconds: is true; allowed: a number"),
        ("{supervisor: {beatSeconds: 20}}", "supervisor: beatSeconds (20) < suspectAfterSeconds"),
        ("{supervisor: {startConcurrency: 0}}", "supervisor.startConcurrency: is 0; allowed: an"),
        (
            "{supervisor: {restart: {initialSeconds: 400}}}",
            "supervisor.restart: maximumSeconds (300) must not be less than initialSeconds (400)",
        ),
        ("{supervisor: {restart: {factor: 0.5}}}", "supervisor.restart.factor: is 0.5; allowed: a"),
        ("{logging: {level: 'loud'}}", 'logging.level: is \'loud\'; allowed: "debug" | "error" |'),
        ("{logging: {files: 0}}", "logging.files: is 0; allowed: an integer from 1 to 1000"),
        ("{channels: []}", "channels: is a list; allowed: an object"),
        ("{channels: {talk: 1}}", "channels.talk: is 1; allowed: an object"),
        ("{channels: {takl: {}}}", "channels.takl: unknown channel (did you mean talk?); allowed"),
    ],
)
def test_a_wrong_value_is_named_with_its_path_and_what_is_allowed(
    tmp_path: Path, written: str, said: str
) -> None:
    (line,) = refused(tmp_path, written)
    assert line.startswith(f":1: {said}")


def test_a_line_is_that_of_the_value_or_of_what_is_around_it(tmp_path: Path) -> None:
    text = "{\n gateway: {\n  port: 0,\n  auth: {\n   token: {source: 'env'},\n}}}"
    assert [line.split(" ")[0] for line in refused(tmp_path, text)] == [":3:", ":5:"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        """{
        gateway: {port: 0, bind: "nowhere"},
        supervisor: {beatSeconds: "5"},
        channels: {
          nothing: {},
          talk: {tls: 5, accounts: {"a b": {}, c: {prot: 1, port: "x"}}},
        }}""",
    )
    paths = [line.split(": ")[1] for line in lines]
    assert paths == [
        "gateway.port",
        "supervisor.beatSeconds",
        "gateway.bind",
        "channels.nothing",
        "channels.talk.tls",
        "channels.talk.accounts.a b",
        "channels.talk.accounts.c.prot",
        "channels.talk.accounts.c.port",
    ]


def test_toml_problems_have_a_line_and_a_path_too(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "[gateway]\nport = 2026-01-01\n", "trunkline.toml")
    assert line == ":2: gateway.port: is a date; allowed: an integer from 1 to 65535"


@pytest.mark.parametrize("bind", ["loopback", "lan", "auto", "10.0.0.7", "::1"])
def test_where_a_gateway_may_listen(tmp_path: Path, bind: str) -> None:
    assert read(tmp_path, f"{{gateway: {{bind: '{bind}'}}}}").config.gateway.bind == bind


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    text = "{gateway: {port: 'hunter2'}, channels: {talk: {port: 'hunter2', accounts: 'hunter2'}}}"
    assert not [line for line in refused(tmp_path, text) if "hunter2" in line]


ODD = st.sampled_from(
    [
        *"{}[]:,=#\n\\\"'",
        "//",
        "/*",
        "*/",
        "nan",
        "-1",
        "gateway",
        "channels",
        "talk",
        "accounts",
        "port",
        "1979-05-27",
        "\ud800",
        "\0",
        "\ufeff",
    ]
)


@given(st.lists(ODD | st.text(max_size=3), max_size=12).map("".join))
@pytest.mark.parametrize("name", ["trunkline.json5", "trunkline.toml"])
def test_no_text_causes_anything_but_a_configuration_error(name: str, text: str) -> None:
    with contextlib.suppress(ConfigError):
        load_text(Path(name), text, known())


WORDS = """gateway channels supervisor restart talk accounts a port auth token source id
    password signin server enabled defaultAccount bind"""
KEYS = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_no_values_cause_anything_but_a_configuration_error(values: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        load_text(Path("trunkline.json5"), json.dumps(values), known())


def port(file: str, environ: dict[str, str], flags: Flags, directory: Path) -> int:
    write(directory, file)
    environ = {"TRUNKLINE_STATE_DIR": str(directory), "TRUNKLINE_GATEWAY_TOKEN": "t"} | environ
    return load_effective(resolve(environ, flags), environ, flags).config.gateway.port


def test_flag_then_environment_then_file_then_profile(tmp_path: Path) -> None:
    file, environ, flags = "{gateway: {port: 3}}", {"TRUNKLINE_GATEWAY_PORT": "2"}, Flags(port=1)
    assert port(file, environ, flags, tmp_path) == 1
    assert port(file, environ, Flags(), tmp_path) == 2
    assert port(file, {"TRUNKLINE_PROFILE": "dev"}, Flags(), tmp_path) == 3
    assert port("{}", {"TRUNKLINE_PROFILE": "dev"}, Flags(), tmp_path) == 19001
    assert port("{}", {}, Flags(), tmp_path) == 18789


@pytest.mark.parametrize("given", ["0", "65536", "http", "-1", "1e3", "٣", "9" * 5000])
def test_an_impossible_port_in_the_environment(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        effective(Config(), {"TRUNKLINE_GATEWAY_PORT": given})
    said = "TRUNKLINE_GATEWAY_PORT: is not a port; allowed: an integer from 1 to 65535"
    assert str(caught.value) == f"environment: {said}"


def test_an_impossible_port_as_a_flag() -> None:
    with pytest.raises(ConfigError, match="--port: is 70000; allowed: an integer from 1 to 65535"):
        effective(Config(), {}, Flags(port=70000))


@pytest.mark.parametrize(
    ("environ", "enabled", "port"),
    [
        ({}, True, 7),
        ({"OPENCLAW_CANVAS_HOST_PORT": "18793"}, True, 18793),
        ({"OPENCLAW_CANVAS_HOST_PORT": ""}, True, 7),
        ({"OPENCLAW_SKIP_CANVAS_HOST": "1"}, False, 7),
        ({"OPENCLAW_SKIP_CANVAS_HOST": " True "}, False, 7),
        ({"OPENCLAW_SKIP_CANVAS_HOST": "0"}, True, 7),
        ({"OPENCLAW_SKIP_CANVAS_HOST": ""}, True, 7),
    ],
)
def test_the_canvas_host_follows_the_variables_of_openclaw(
    environ: dict[str, str], enabled: bool, port: int
) -> None:
    canvas = CanvasHostConfig(enabled=True, port=7)
    found = effective(Config(canvas_host=canvas), environ).canvas_host
    assert (found.enabled, found.port) == (enabled, port)
    off = effective(Config(), {"OPENCLAW_CANVAS_HOST_PORT": "18793"}).canvas_host
    assert (off.enabled, off.port) == (False, 18793)


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"OPENCLAW_CANVAS_HOST_PORT": "http"}, "OPENCLAW_CANVAS_HOST_PORT: is not a port"),
        (
            {"OPENCLAW_SKIP_CANVAS_HOST": "maybe"},
            "OPENCLAW_SKIP_CANVAS_HOST: is neither on nor off",
        ),
    ],
)
def test_odd_variables_of_the_canvas_host_are_errors(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        effective(Config(canvas_host=CanvasHostConfig(enabled=True)), environ)


def test_the_token_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"TRUNKLINE_GATEWAY_TOKEN": "from outside"}
    assert effective(Config(), environ).gateway.auth.token == "from outside"
    flags = Flags(token="flag")
    assert effective(Config(), environ, flags).gateway.auth.token == "flag"


def places(directory: Path) -> Places:
    return resolve({"TRUNKLINE_STATE_DIR": str(directory)})


def test_without_any_secret_nothing_starts(tmp_path: Path) -> None:
    write(tmp_path, "{}")
    with pytest.raises(ConfigError) as caught:
        load_effective(places(tmp_path), {})
    said = "is missing; allowed: a string, a reference, or TRUNKLINE_GATEWAY_TOKEN"
    assert str(caught.value) == f"{tmp_path}/trunkline.json5: gateway.auth.token: {said}"


def test_a_reference_is_a_secret_too(tmp_path: Path) -> None:
    write(tmp_path, "{gateway: {auth: {token: {source: 'env', id: 'T'}}}}")
    assert str(load_effective(places(tmp_path), {}).config.gateway.auth.token) == "env:T"


def test_a_file_with_secrets_that_others_may_read_is_doubtful(tmp_path: Path) -> None:
    loaded = read(tmp_path, "{gateway: {auth: {token: 'x'}}}")
    loaded.path.chmod(0o640)
    (warning,) = config_warnings(loaded)
    assert warning.startswith(f"{loaded.path} holds secrets and others may read it")
    loaded.path.chmod(0o600)
    assert config_warnings(loaded) == []
    harmless = read(tmp_path, "{gateway: {port: 1}}")
    harmless.path.chmod(0o644)
    assert config_warnings(harmless) == []
    loaded.path.unlink()
    assert config_warnings(loaded) == []


def test_doubts_have_the_place_of_each_secret_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.json5"
    path.write_text("{channels: {telegram: {accounts: {a: {botToken: 'x'}, b: {botToken: 'y'}}}}}")
    path.chmod(0o644)
    loaded = load(path)
    file, *secrets = doubts(loaded)
    assert (file.path, file.text) == ("", config_warnings(loaded)[0])
    assert [each.path for each in secrets] == [
        f"channels.telegram.accounts.{name}.botToken" for name in "ab"
    ]
    assert doubtful_secrets(loaded, ["telegram:b", "agent:x"]) == secrets[1:]


def test_relative_paths_of_the_gateway_count_from_the_directory_of_the_file(tmp_path: Path) -> None:
    """The daemon has another current directory than who starts it."""
    path = tmp_path / "trunkline.json5"
    path.write_text(
        "{gateway: {auth: {token: 't0123456789abcdef'}, tls: {enabled: true, certPath: 'a.pem',"
        " keyPath: '/b.pem'}}}"
    )
    places = resolve({}, Flags(state_dir=tmp_path))
    tls = load_effective(places, {}).config.gateway.tls
    assert (tls.cert_path, tls.key_path) == (str(tmp_path / "a.pem"), "/b.pem")
    path.write_text(
        "{gateway: {auth: {token: 't0123456789abcdef'}, command: ['./own', './argument'],"
        " repairCommand: ['found-in-path']}}"
    )
    gateway = load_effective(places, {}).config.gateway
    assert gateway.command == [str(tmp_path / "own"), "./argument"]
    assert gateway.repair_command == ["found-in-path"]


@pytest.mark.parametrize(
    ("root", "found"),
    [(None, "{here}/canvas"), ("a/b", "{here}/a/b"), ("/b", "/b"), ("~/canvas", "/home/me/canvas")],
)
def test_the_root_of_the_canvas_host_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str | None, found: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    section = {"enabled": True} | ({} if root is None else {"root": root})
    path = tmp_path / "trunkline.json5"
    path.write_text(json.dumps({"gateway": {"auth": {"token": "t" * 16}}, "canvasHost": section}))
    path.chmod(0o600)
    loaded = load_effective(resolve({}, Flags(state_dir=tmp_path)), {})
    place = found.format(here=tmp_path)
    assert loaded.config.canvas_host.root == place
    assert config_warnings(loaded) == [
        f"canvasHost.root {place} is no directory: nothing is served from it"
    ]
