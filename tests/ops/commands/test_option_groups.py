"""Groups of options, as typer sees them and as a command gets them."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from ops.commands.option_groups import (
    AccountSelection,
    LocalOptions,
    RuntimeOptions,
    WaitOptions,
    command,
)
from ops.commands.options import Reason, command_app
from ops.exits import UsageFailure

Got = dict[str, Any]


@pytest.fixture
def got() -> Got:
    """What the command of ``app`` was called with."""
    return {}


@pytest.fixture
def app(got: Got) -> typer.Typer:
    found = command_app()

    @command(found)
    def act(
        *,
        selection: AccountSelection,
        reason: Reason = None,
        waiting: WaitOptions,
        options: RuntimeOptions,
    ) -> None:
        """Do something."""
        got.update(selection=selection, reason=reason, waiting=waiting, options=options)

    return found


def run(app: typer.Typer, *args: str) -> None:
    typer.main.get_command(app)(args=list(args), standalone_mode=False)


def test_each_option_stands_where_its_group_does(app: typer.Typer) -> None:
    params = [param.name for param in typer.main.get_command(app).params]
    expected = ["keys", "everything", "reason", "wait", "timeout", "json", "url", "token"]
    assert params == expected


def test_a_command_gets_its_groups_filled(app: typer.Typer, got: Got) -> None:
    run(app, "irc:a", "irc:a", "--wait", "--timeout", "2", "--reason", "why", "--url", "ws://x")
    assert got["selection"].targets == ["irc:a"]
    assert (got["waiting"], got["reason"]) == (WaitOptions(wait=True, timeout=2.0), "why")
    assert (got["options"].target.url, got["options"].json) == ("ws://x", False)


def test_what_is_not_typed_has_the_default_of_the_group(app: typer.Typer, got: Got) -> None:
    run(app, "--all")
    assert got["selection"].targets == ["*"]
    assert got["waiting"] == WaitOptions(wait=False, timeout=30.0)


def test_the_text_of_help_is_that_of_the_command(app: typer.Typer) -> None:
    assert typer.main.get_command(app).help == "Do something."


@pytest.mark.parametrize(("keys", "everything"), [(None, False), ([], False), (["a:b"], True)])
def test_accounts_are_named_or_all_of_them_are_meant(
    keys: list[str] | None, everything: bool
) -> None:
    with pytest.raises(UsageFailure, match="--all"):
        _ = AccountSelection(keys, everything).targets


def test_a_local_command_means_this_host() -> None:
    found = command_app()
    got: Got = {}

    @command(found, "other-name")
    def act(*, options: LocalOptions) -> None:
        got["target"] = options.target

    run(found, "--json")
    assert (got["target"].url, got["target"].given) == (None, {"json": True})
