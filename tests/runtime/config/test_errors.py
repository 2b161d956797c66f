"""What an operator reads of a configuration that cannot be used."""

from __future__ import annotations

import pickle

from ipc.frames.words import EXIT_CONFIG
from runtime.config.errors import ConfigError, Problem, config_error


def test_each_problem_is_a_line_with_its_place_as_far_as_it_is_known() -> None:
    problems = [Problem("a.b", "is 1", 7), Problem("c", "is 2"), Problem("", "is wrong", 3)]
    error = ConfigError("x.json5", problems)
    assert str(error) == "x.json5:7: a.b: is 1\nx.json5: c: is 2\nx.json5:3: is wrong"
    assert error.problems == tuple(problems)


def test_a_key_cannot_control_the_terminal() -> None:
    assert str(Problem("a\x1b[31m\n", "is é")) == r"a\x1b[31m\n: is é"


def test_an_error_with_one_problem_is_made_in_one_call() -> None:
    assert str(config_error("x.json5", "is wrong")) == "x.json5: is wrong"
    assert str(config_error("x.json5", "is wrong", "a.b")) == "x.json5: a.b: is wrong"


def test_it_ends_a_process_with_the_code_for_a_person_s_mistake() -> None:
    assert ConfigError.exit_code == EXIT_CONFIG == 78


def test_it_survives_a_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(config_error("x.json5", "is wrong", "a")))
    assert str(error) == "x.json5: a: is wrong"
