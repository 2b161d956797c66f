"""Two products are measured side by side, each by its own command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import compare
from bench.checkout import Checkout
from bench.machine import ROOT
from bench.measuring.processes import may_measure

pytestmark = pytest.mark.e2e

OTHER = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from ops.cli.main import main
with Path({starts!r}).open("a") as file:
    print(*sys.argv[1:2], file=file)
main()
"""


@pytest.fixture
def other(tmp_path: Path) -> Checkout:
    """A product that writes down the verb of each start; inside it is the one of this checkout."""
    program = tmp_path / "trunkline"
    starts = str(tmp_path / "starts")
    program.write_text(OTHER.format(python=sys.executable, root=str(ROOT), starts=starts))
    program.chmod(0o755)
    (tmp_path / "python").symlink_to(sys.executable)
    for package in ("ipc", "workers", "runtime", "ops"):
        (tmp_path / package).mkdir()
    return Checkout(tmp_path, (str(program),))


@pytest.mark.slow
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_every_figure_of_every_product_is_measured_in_every_round(
    other: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, least in (("SECONDS", 0.2), ("SETTLE", 0.1), ("ACCOUNTS", 3)):
        monkeypatch.setattr(compare, name, least)
    measured = await compare.measure(other, 1, list(compare.PARTS))
    assert set(measured) == {figure.name for figure in compare.FIGURES}
    for name, series in measured.items():
        assert set(series) == set(compare.ROLES)
        assert all(len(values) == 1 and min(values) > 0 for values in series.values()), name
    starts = (other.root / "starts").read_text().splitlines()
    assert starts.count("up") == len(compare.PARTS)


def test_another_interpreter_is_refused_for_it_would_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "trunkline").touch()
    python = programs / "python"
    python.write_text("#!/bin/sh\necho 'Python 3.99.0 (main)'\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["bench.compare", str(tmp_path)])
    with pytest.raises(SystemExit):
        compare.options()
    assert (
        f"{tmp_path} runs Python 3.99.0 (main): that would be measured" in capsys.readouterr().err
    )
