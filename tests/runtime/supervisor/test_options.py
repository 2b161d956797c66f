"""How ``trunkline up`` words a refusal."""

from __future__ import annotations

import pytest

from runtime.supervisor.options import refuse


def test_a_refusal_is_one_sentence_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert refuse("the port is taken", 1) == 1
    assert capsys.readouterr() == ("", "trunkline: the port is taken\n")
