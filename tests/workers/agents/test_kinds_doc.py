"""The tables of docs/agents.md name every field of every kind, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from ipc.nesting import decode_json
from workers.agent import AgentManifest
from workers.agents import command, http, openai, openclaw

DOC = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>[^|]*?) ?\| (?P<means>.*) \|$", re.M)


KINDS = [openai.manifest, command.manifest, http.manifest, openclaw.manifest]


@pytest.mark.parametrize("manifest", KINDS)
def test_every_field_is_documented_with_its_default(manifest: AgentManifest) -> None:
    _, found, section = DOC.partition(f"\n## `{manifest.id}`\n")
    assert found
    table = section.partition("\n| field |")[2].partition("\n\n")[0]
    rows = {row["name"]: row for row in ROW.finditer(table)}
    fields = {each.encode_name: each for each in msgspec.structs.fields(manifest.config)}
    assert rows.keys() == fields.keys()
    for name, field in fields.items():
        shown = rows[name]["default"].strip("`")
        if field.required:
            assert shown == "required", name
            continue
        made = field.default_factory is not msgspec.NODEFAULT
        default = field.default_factory() if made else field.default
        assert (decode_json(shown) if shown else None) == default, name
        assert ("a secret" in rows[name]["means"]) == (name in manifest.secrets), name
