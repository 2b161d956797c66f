"""A Python that was not tested, and a shell without completion, are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ops.doctor import installation
from tests.support.doctor_facts import healthy


def test_a_shell_that_does_not_complete_is_found(tmp_path: Path) -> None:
    facts = replace(healthy(tmp_path), environ={"SHELL": "/bin/fish", "HOME": str(tmp_path)})
    (found,) = installation.completion(facts)
    folder = Path(str(found.path)).parent
    assert found.cure == f"mkdir -p {folder} && trunkline completion fish > {found.path}"
    place = Path(str(found.path))
    place.parent.mkdir(parents=True)
    place.touch()
    assert list(installation.completion(facts)) == []
    other = replace(facts, environ={"SHELL": "/bin/dash", "HOME": str(tmp_path)})
    assert list(installation.completion(other)) == []


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ((3, 10, 9), ["python.version"]),
        ((3, 11, 0), []),
        ((3, 13, 9), []),
        ((3, 19, 0), ["python.version"]),
    ],
)
def test_an_interpreter_that_was_not_tested_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    found: list[str],
) -> None:
    facts = healthy(tmp_path)
    monkeypatch.setattr("sys.version_info", version)
    assert [each.check for each in installation.interpreter(facts)] == found
