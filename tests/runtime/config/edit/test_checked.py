"""A text replaces the file when it is valid, means what was meant, and nothing came between."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.edit.checked import checker, write_checked
from runtime.config.errors import ConfigError
from runtime.config.files import MAX_BYTES
from runtime.config.load import Loaded
from tests.runtime.config.example import known, write

BEFORE = "{gateway: {port: 1}}"
AFTER = "{gateway: {port: 2}}"
MEANT = {"gateway": {"port": 2}}


def test_the_new_text_replaces_the_old_one_which_stays_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, BEFORE)
    loaded = write_checked(path, BEFORE, AFTER, MEANT, checker(path, known()))
    assert loaded.config.gateway.port == 2
    assert path.read_text() == AFTER
    assert (tmp_path / "trunkline.json5.bak").read_text() == BEFORE


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("{\n gateway: {port: 0}}", "trunkline.json5: gateway.port: is 0; allowed"),
        ("{gateway: {port: 3}}", "is written in a way that this cannot change; edit it by hand"),
        (f"// {'x' * MAX_BYTES}\n{AFTER}", "is larger than"),
    ],
)
def test_a_text_that_is_wrong_or_means_something_else_is_not_written(
    tmp_path: Path, after: str, said: str
) -> None:
    """The first one has no line: it would be that of a text that is never written."""
    path = write(tmp_path, BEFORE)
    with pytest.raises(ConfigError, match=said):
        write_checked(path, BEFORE, after, MEANT, checker(path, known()))
    assert path.read_text() == BEFORE
    assert list(tmp_path.iterdir()) == [path]


def test_a_concurrent_change_of_the_file_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, BEFORE)

    def read_while_an_editor_saves(text: str) -> Loaded:
        path.write_text("{}")
        return checker(path, known())(text)

    with pytest.raises(ConfigError, match="was changed by somebody else meanwhile; try again"):
        write_checked(path, BEFORE, AFTER, MEANT, read_while_an_editor_saves)
    assert path.read_text() == "{}"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, BEFORE)
    backup = tmp_path / "trunkline.json5.bak"
    backup.mkdir()  # stands in the way
    with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
        write_checked(path, BEFORE, AFTER, MEANT, checker(path, known()))
    assert path.read_text() == BEFORE
    assert sorted(tmp_path.iterdir()) == [path, backup]
