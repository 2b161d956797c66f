"""The lines that problems in a TOML file are told with."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from runtime.config.errors import ConfigError
from runtime.config.load import load
from runtime.config.text.toml_positions import toml_lines
from tests.runtime.config.example import write

TEXT = '''\
gateway.port = 1
[agents]  # who answers
default = "echo"
note = """
port = 5
[channels.local]
"""

[channels.irc]
server = "x"
"quoted.key" = {inner = 1}
[[list]]
a = 1
'''


def test_each_table_and_key_is_found_where_it_begins() -> None:
    assert toml_lines(TEXT, tomllib.loads(TEXT)) == {
        "gateway": 1,
        "gateway.port": 1,
        "agents": 2,
        "agents.default": 3,
        "agents.note": 4,
        "channels": 6,  # what looks like a head in a text is taken for one: the nearest anyway
        "channels.irc": 9,
        "channels.irc.server": 10,
        "channels.irc.quoted.key": 11,
    }


def test_a_wrong_value_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        "[gateway]\nauth.token = 't'\nport = 'high'\n[channels.local.accounts.demo]\nrate = 'x'\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text, "trunkline.toml"))
    said = str(caught.value).splitlines()
    assert [line.partition(" is ")[0].rpartition("/")[2] for line in said] == [
        "trunkline.toml:3: gateway.port:",
        "trunkline.toml:5: channels.local.accounts.demo.rate:",
    ]
