"""What the supervisor knows of accounts and agents alike."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.config.example import read

TEXT = """{
    agents: {default: 'main', entries: {main: {kind: 'think', baseUrl: 'http://m'}}},
    channels: {talk: {server: 's', accounts: {a: {}}}},
}"""


def test_an_account_and_an_agent_have_the_same_facts(tmp_path: Path) -> None:
    account, agent = read(tmp_path, TEXT).workers.values()
    assert (account.is_agent, agent.is_agent) == (False, True)
    assert (account.code, agent.code) == ("tests.talk:Talk", "tests.think:Think")
    assert (account.place, agent.place) == ("channels.talk.accounts.a", "agents.entries.main")
    assert not account.can_login
    assert not agent.can_login
