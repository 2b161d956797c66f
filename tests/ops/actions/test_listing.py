"""The forms of a status, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.actions.listing import Listing
from ops.exits import ExitCode, UsageFailure
from tests.support.commandline import trunkline
from tests.support.fakeserver import BACKOFF, account, fake_supervisor, status

ROWS = [{"account": "a:b", "phase": "running"}, {"account": "c:d", "phase": "failed"}]


@pytest.mark.parametrize(
    ("form", "as_json", "sentence"),
    [("xml", False, "-o takes wide, json, yaml, name; not 'xml'"),
     ("name", True, "--json and -o name exclude each other")],
)  # fmt: skip
def test_a_form_that_there_is_not_is_refused(form: str, as_json: bool, sentence: str) -> None:
    with pytest.raises(UsageFailure, match=sentence):
        Listing(form, None, (), as_json=as_json)


def test_tables_begin_with_the_worst_and_documents_keep_the_order() -> None:
    found = {"accounts": ROWS, "gateway": {}}
    table = Listing(None, None, (), as_json=False)
    assert [row["account"] for row in table.of(found)["accounts"]] == ["c:d", "a:b"]
    document = Listing("yaml", None, ["phase=running"], as_json=False)
    assert document.of(found) == {"accounts": ROWS[:1], "gateway": {}}
    sorted_document = Listing(None, "worst", (), as_json=True)
    assert [row["account"] for row in sorted_document.of(found)["accounts"]] == ["c:d", "a:b"]


async def test_names_and_yaml_of_what_a_filter_leaves(state: Path) -> None:
    rows = status(account("local:demo"), account("irc:libera", **BACKOFF))
    async with fake_supervisor(state, supervisor__status=rows):
        names = await trunkline(state, "status", "-o", "name", "--filter", "phase=backoff")
        assert names.out == "irc:libera\n"
        yaml = await trunkline(state, "channels", "status", "-o", "yaml", "--sort", "account")
        assert [line for line in yaml.out.splitlines() if "account: " in line] == [
            "- account: irc:libera",
            "- account: local:demo",
        ]
        none = await trunkline(state, "status", "--filter", "phase=failed")
        assert "none of 2 accounts" in none.out
        other = await trunkline(state, "status", "irc", "--filter", "channel=local")
        assert other.code == 0, "an account is known that is not asked about"
        for command in ("status", "channels status"):
            wrong = await trunkline(state, *command.split(), "--filter", "channel=telegram")
            wrong.complains(ExitCode.ERROR, "unknown channel 'telegram'; known: irc, local")
