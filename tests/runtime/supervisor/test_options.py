"""How ``trunkline up`` words a refusal."""

from __future__ import annotations

import pytest

from runtime.supervisor.options import refuse, words


def test_a_refusal_is_one_sentence_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert refuse("the port is taken", 1) == 1
    assert capsys.readouterr() == ("", "trunkline: the port is taken\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (OSError("odd"), "odd"),
    ],
)
def test_an_error_of_the_system_names_its_file_where_there_is_one(
    error: OSError, said: str
) -> None:
    assert words(error) == said
