"""Whatever is killed whenever: a person gets the answer once, and what is in doubt is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash_matrix import CELLS, MOMENTS, Cell, Matrix, table
from workers.testing.fakes.telegram import fake_telegram

FEW = [Cell("gateway", MOMENTS[0]), Cell("agent", MOMENTS[1]), Cell("gateway", MOMENTS[2])]


@pytest.mark.e2e
async def test_some_cells_of_the_matrix_have_their_result(tmp_path: Path) -> None:
    async with fake_telegram() as fake:
        matrix = Matrix(tmp_path, fake)
        async with matrix.daemon:
            for number, cell in enumerate(FEW):
                await matrix.run(cell, f"m{number}")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_every_cell_of_the_matrix_has_its_result(tmp_path: Path, cell: Cell) -> None:
    async with fake_telegram() as fake:
        matrix = Matrix(tmp_path, fake)
        async with matrix.daemon:
            await matrix.run(cell, "m")


def test_the_matrix_is_in_the_documentation() -> None:
    assert table() in (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
