"""How an account is put together, and every way in which that can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.config.accounts import AccountSpec, channels
from runtime.config.errors import ConfigError
from runtime.config.load import load, load_text
from runtime.config.supervisor_model import RestartConfig
from tests.runtime.config.example import Chatty, Fields, known, read, write
from workers.registry import InstalledChannel, Manifests


def one(directory: Path, section: str, key: str = "talk:a", rest: str = "") -> AccountSpec:
    return read(directory, f"{{channels: {{talk: {section}}}, {rest}}}").accounts[key]


def test_an_account_inherits_from_its_channel_and_wins_over_it(tmp_path: Path) -> None:
    spec = one(tmp_path, "{server: 's', port: 1, accounts: {a: {port: 2, rooms: ['#x']}}}")
    assert spec.config == {"server": "s", "port": 2, "rooms": ["#x"]}
    assert (spec.channel, spec.account_id, spec.label) == ("talk", "a", "at s")
    assert (spec.enabled, spec.configured, spec.reason) == (True, True, None)


def test_accounts_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "{channels: {talk: {server: 's', accounts: {z: {}, a: {}, m: {}}}}}"
    assert list(read(tmp_path, text).accounts) == ["talk:z", "talk:a", "talk:m"]


def test_a_channel_without_accounts_is_one_account(tmp_path: Path) -> None:
    assert one(tmp_path, "{server: 's'}", "talk:default").configured


def test_a_channel_with_no_fields_of_its_own_has_no_account(tmp_path: Path) -> None:
    assert read(tmp_path, "{channels: {talk: {enabled: true}}}").accounts == {}
    assert read(tmp_path, "{channels: {talk: {server: 's', accounts: {}}}}").accounts == {}


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (
            "{enabled: false, server: 's', accounts: {a: {enabled: true}}}",
            "disabled: channels.talk.enabled is false",
        ),
        (
            "{server: 's', accounts: {a: {enabled: false}}}",
            "disabled: channels.talk.accounts.a.enabled is false",
        ),
    ],
)
def test_why_an_account_is_disabled(tmp_path: Path, section: str, reason: str) -> None:
    spec = one(tmp_path, section)
    assert (spec.enabled, spec.configured, spec.reason) == (False, True, reason)


@pytest.mark.parametrize("account", ["{}", "{server: ''}", "{server: null}", "{port: 1}"])
def test_what_is_missing_makes_an_account_unconfigured_not_wrong(
    tmp_path: Path, account: str
) -> None:
    spec = one(tmp_path, f"{{accounts: {{a: {account}}}}}")
    assert (spec.enabled, spec.configured, spec.reason) == (True, False, "server not set")


def test_restart_is_merged_field_by_field(tmp_path: Path) -> None:
    spec = one(
        tmp_path,
        "{server: 's', restart: {factor: 3, jitter: 0}, accounts: {a: {restart: {factor: 4}}}}",
        rest="supervisor: {restart: {initialSeconds: 1, jitter: 1}}",
    )
    assert spec.restart == RestartConfig(initial_seconds=1, jitter=0, factor=4)


def test_common_fields_are_inherited_too(tmp_path: Path) -> None:
    section = """{server: 's', launcher: 'exec', agent: 'none', name: 'ours', proxy: 'http://p:1',
      accounts: {a: {}, b: {launcher: 'zygote', agent: 'echo', name: 'B', proxy: null}}}"""
    a, b = one(tmp_path, section, "talk:a"), one(tmp_path, section, "talk:b")
    assert (a.launcher, a.agent, a.name) == ("exec", "none", "ours")
    assert (b.launcher, b.agent, b.name) == ("zygote", "echo", "B")
    assert (a.proxy, b.proxy) == ("http://p:1", None)


def test_confinement_is_inherited_and_can_be_taken_back(tmp_path: Path) -> None:
    section = """{server: 's', launcher: 'exec', confine: true,
      accounts: {a: {}, b: {confine: false}, c: {confine: false, launcher: 'zygote'}}}"""
    found = [one(tmp_path, section, f"talk:{account}") for account in "abc"]
    assert [each.confine for each in found] == [True, False, False]
    assert found[0].fingerprint != found[1].fingerprint  # so that a change restarts it


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("{server: 's', accounts: {a: {}}}", None),
        ("{server: 's', accounts: {a: {agent: 'echo'}}}", "channels.talk.accounts.a.agent"),
        ("{server: 's', agent: 'none', accounts: {a: {}}}", "channels.talk.agent"),
        (
            "{server: 's', agent: 'none', accounts: {a: {agent: 'echo'}}}",
            "channels.talk.accounts.a.agent",
        ),
    ],
)
def test_where_the_agent_of_an_account_is_set_is_known(
    tmp_path: Path, section: str, line: str | None
) -> None:
    assert one(tmp_path, section).agent_line == line


def test_the_default_agent_is_the_files(tmp_path: Path) -> None:
    section = "{server: 's', accounts: {a: {}}}"
    assert one(tmp_path, section).agent == "echo"
    assert one(tmp_path, section, rest="agents: {default: 'none'}").agent == "none"


def test_a_secret_may_be_a_reference_and_stays_one(tmp_path: Path) -> None:
    spec = one(
        tmp_path,
        """{server: 's', accounts: {a: {password: {source: 'env', id: 'P'},
          signin: {user: 'u', password: {source: 'file', id: '/p'}}}}}""",
    )
    assert spec.configured
    assert spec.config["password"] == {"source": "env", "id": "P"}


def test_the_fingerprint_is_of_what_the_worker_sees(tmp_path: Path) -> None:
    same = one(tmp_path, "{server: 's', accounts: {a: {port: 1}}}").fingerprint
    for section in (
        "{port: 1, server: 's', accounts: {a: {}}}",
        "{server: 's', accounts: {a: {port: 1, enabled: false, name: 'x', agent: 'none'}}}",
        "{server: 's', restart: {factor: 5}, accounts: {a: {port: 1}}}",
    ):
        assert one(tmp_path, section).fingerprint == same
    for section in (
        "{server: 't', accounts: {a: {port: 1}}}",
        "{server: 's', accounts: {a: {port: 1, launcher: 'exec'}}}",
        "{server: 's', accounts: {a: {}}}",
    ):
        assert one(tmp_path, section).fingerprint != same


def test_the_rules_for_files_concern_the_channels_that_have_some(tmp_path: Path) -> None:
    of_channels = "local: {accounts: {a: {}}}, telegram: {botToken: '1:a'}"
    found = []
    for media in ("{}", "{ttlDays: 7}", "{allow: ['/srv/out']}"):
        text = f"{{channels: {{{of_channels}}}, media: {media}}}"
        specs = load_text(tmp_path / "c.json5", text).accounts.values()
        found.append([spec.fingerprint for spec in specs])
    (local, telegram), same, (local_after, telegram_after) = found
    assert same == [local, telegram]
    assert local_after == local
    assert telegram_after != telegram


PUBLIC = "gateway: {publicUrl: 'wss://chat.example/'}"


def serving(directory: Path, section: str, key: str, rest: str = "") -> AccountSpec:
    """Return an account of a channel that takes HTTP requests."""
    found = known()
    manifest = replace(found["talk"].manifest, can=frozenset({"http"}))
    found["talk"] = InstalledChannel(manifest, "tests.talk:manifest", "tests")
    file = write(directory, f"{{channels: {{talk: {section}}}, {rest}}}")
    return load(file, found).accounts[key]


def test_an_account_that_takes_http_has_an_address_below_the_public_one(tmp_path: Path) -> None:
    section = "{server: 's', ingress: true, accounts: {a: {}, b: {ingress: false}}}"
    a = serving(tmp_path, section, "talk:a", PUBLIC)
    b = serving(tmp_path, section, "talk:b", PUBLIC)
    assert (a.ingress, a.ingress_url) == (True, "https://chat.example/channels/talk/a/")
    assert (b.ingress, b.ingress_url) == (False, None)
    without = serving(tmp_path, section, "talk:a")
    assert (without.ingress, without.ingress_url) == (True, None)
    assert without.fingerprint != a.fingerprint  # the plugin is told the address


def test_a_broken_channel_spoils_only_its_own_accounts(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        "{channels: {odd: {x: 1, accounts: {b: {y: 2}}}, talk: {server: 's', accounts: {a: {}}}}}",
        odd="their-package: ImportError: no",
    )
    spec = loaded.accounts["odd:b"]
    assert (spec.configured, spec.unusable) == (False, True)
    assert spec.reason == "the channel odd cannot be used: their-package: ImportError: no"
    assert loaded.accounts["talk:a"].configured


def test_a_manifest_that_raises_spoils_only_its_own_accounts(tmp_path: Path) -> None:
    class Raising(Chatty):
        def unconfigured(self, config: Any) -> str | None:
            raise RuntimeError("boom")

    found = Manifests()
    found["talk"] = InstalledChannel(Raising("talk", "Talk", Fields, "a:B"), "tests:x", "tests")
    text = "{channels: {talk: {accounts: {a: {server: 's'}}}}}"
    spec = load_text(tmp_path / "trunkline.json5", text, found).accounts["talk:a"]
    assert not spec.configured
    assert spec.reason == "the channel's manifest failed: RuntimeError: boom"


def test_what_the_gateway_is_told_of_channels(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        "{channels: {talk: {server: 's', accounts: {b: {}, a: {}}}, odd: {}}}",
        odd="their-package: ImportError",
    )
    talk, odd = channels(loaded.config, loaded.manifests)
    assert (talk.id, talk.label, talk.default_account) == ("talk", "Talk", "b")
    assert (talk.accounts, talk.actions) == (["b", "a"], ["send"])
    assert talk.can == {"can": []}
    assert (odd.id, odd.label, odd.default_account, odd.accounts) == ("odd", "odd", None, [])


@pytest.mark.parametrize(
    ("section", "default"),
    [
        ("{accounts: {b: {}, default: {}}}", "default"),
        ("{accounts: {b: {}, a: {}}, defaultAccount: 'a'}", "a"),
        ("{server: 's'}", "default"),
        ("{accounts: {}}", None),
    ],
)
def test_which_account_is_the_default(tmp_path: Path, section: str, default: str | None) -> None:
    loaded = read(tmp_path, f"{{channels: {{talk: {section}}}}}")
    assert channels(loaded.config, known())[0].default_account == default


def layered(channel: dict[str, Any], **supervisor: Any) -> dict[str, AccountSpec]:
    text = json.dumps({"channels": {"local": channel}, "supervisor": supervisor})
    return load_text(Path("/etc/trunkline.json5"), text).accounts


@pytest.mark.parametrize("account", [True, False, None])
@pytest.mark.parametrize("channel", [True, False, None])
def test_the_monitor_is_on_unless_the_nearest_word_says_otherwise(
    account: bool | None, channel: bool | None
) -> None:
    """Scenario 115: account, then channel, then on."""
    own = {} if account is None else {"healthMonitor": {"enabled": account}}
    inherited = {} if channel is None else {"healthMonitor": {"enabled": channel}}
    spec = layered({**inherited, "accounts": {"a": own}})["local:a"]
    expected = next((value for value in (account, channel) if value is not None), True)
    assert spec.health.enabled is expected


def test_each_field_comes_from_the_nearest_layer() -> None:
    spec = layered(
        {
            "limits": {"niceness": 5, "openFiles": 100},
            "accounts": {"a": {"limits": {"openFiles": 200}}, "b": {}},
        },
        limits={"niceness": 1, "memorySoftBytes": 100 << 20},
    )
    assert (spec["local:a"].limits.niceness, spec["local:a"].limits.open_files) == (5, 200)
    assert (spec["local:b"].limits.niceness, spec["local:b"].limits.open_files) == (5, 100)
    assert spec["local:b"].limits.memory_soft_bytes == 100 << 20


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"healthMonitor": {"enabled": "yes"}}, "channels.local.accounts.a.healthMonitor.enabled"),
        ({"limits": {"niceness": 20}}, "channels.local.accounts.a.limits.niceness"),
        ({"limits": {"memory": 1}}, "channels.local.accounts.a.limits.memory"),
        ({"limits": {"memoryHardBytes": 17 << 20}}, "must not be less than memorySoftBytes"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        layered({"accounts": {"a": fields}})


def test_what_the_supervisor_looks_after_restarts_no_account() -> None:
    plain = layered({"accounts": {"a": {}}})["local:a"]
    watched = layered({"accounts": {"a": {"healthMonitor": {"enabled": False}}}})["local:a"]
    lean = layered({"accounts": {"a": {"limits": {"memorySoftBytes": None}}}})["local:a"]
    live = {"niceness": 1, "openFiles": 100, "processes": 50}
    nice = layered({"accounts": {"a": {"limits": live}}})["local:a"]
    assert plain.fingerprint == watched.fingerprint == lean.fingerprint == nice.fingerprint
    forked = layered({"accounts": {"a": {"launcher": "exec"}}})["local:a"]
    assert forked.fingerprint != plain.fingerprint


@pytest.mark.parametrize(
    ("section", "key", "place"),
    [
        ("{server: 's'}", "talk:default", "channels.talk"),
        (
            "{server: 's', accounts: {default: {}}}",
            "talk:default",
            "channels.talk.accounts.default",
        ),
        ("{accounts: {a: {server: 's'}}}", "talk:a", "channels.talk.accounts.a"),
    ],
)
def test_the_place_of_an_account_is_where_the_file_has_it(
    tmp_path: Path, section: str, key: str, place: str
) -> None:
    assert one(tmp_path, section, key).place == place
