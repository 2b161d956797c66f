"""Another checkout's product runs in its own environment, on its own packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.checkout import Checkout, NotBuilt, has_journal


def test_a_checkout_without_an_environment_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="make_environment"):
        Checkout.at(tmp_path)


def test_the_command_is_that_of_its_own_environment(tmp_path: Path) -> None:
    program = tmp_path / ".venv" / "bin" / "trunkline"
    program.parent.mkdir(parents=True)
    program.touch()
    checkout = Checkout.at(tmp_path)
    assert checkout.command == (str(program),)
    assert checkout.python == str(program.with_name("python"))
    env = checkout.environment({"PYTHONPATH": "/not/this", "HOME": "/home"}, "/site")
    assert env == {"PYTHONPATH": f"/site:{tmp_path}", "HOME": "/home"}


def test_a_checkout_names_its_interpreter() -> None:
    assert Checkout.this().interpreter.split() == ["Python", *sys.version.split()]


def test_this_checkout_says_what_configuration_it_takes() -> None:
    none = {"auth": {"mode": "none"}}
    assert Checkout.this().accepts({"gateway": none})
    assert not Checkout.this().accepts({"gateway": none | {"no-such-field": 1}})
    assert has_journal(Checkout.this())
