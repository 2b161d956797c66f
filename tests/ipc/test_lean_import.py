"""A library comes without some of the modules that it imports, and works with them later."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ipc.lean_import import LateModule, lean_import

LIBRARY = """
import leanpack.dear
from leanpack.dear import price, Thing
try:
    import leanpack.paint
except ImportError:
    paints = False
else:
    paints = True

def asked():
    return leanpack.dear.price()
"""
DEAR = """
from dataclasses import dataclass

@dataclass
class Thing:
    name: str = "thing"

def price(of="all"):
    return f"the price of {of}"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Offer a package with a library and two modules that it imports."""
    place = tmp_path / "leanpack"
    place.mkdir()
    texts = {"__init__": "", "library": LIBRARY, "dear": DEAR, "paint": ""}
    for name, text in texts.items():
        (place / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "leanpack"]:
        del sys.modules[name]


@pytest.mark.usefixtures("package")
def test_what_comes_late_is_imported_by_the_first_call() -> None:
    with lean_import("leanpack.dear", absent=["leanpack.paint"]):
        import leanpack.library as library  # type: ignore[import-not-found]
    assert "leanpack.dear" not in sys.modules
    assert library.price("tea") == "the price of tea"
    assert "leanpack.dear" in sys.modules
    assert library.Thing("tea").name == "tea"


@pytest.mark.usefixtures("package")
def test_what_looks_for_the_module_in_its_package_finds_all_of_it() -> None:
    with lean_import("leanpack.dear"):
        import leanpack.library as library
    import leanpack

    assert isinstance(leanpack.dear, LateModule)
    assert issubclass(type("Part", (leanpack.dear.Thing,), {}), leanpack.dear.Thing)
    assert library.asked() == "the price of all"
    assert leanpack.dear is sys.modules["leanpack.dear"], "the import takes the stand-in's place"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(("absent", "paints"), [(["leanpack.paint"], False), ([], True)])
def test_what_is_absent_is_so_for_the_library_alone(absent: list[str], paints: bool) -> None:
    with lean_import(absent=absent):
        import leanpack.library as library
    assert library.paints is paints
    assert import_module("leanpack.paint").__file__


@pytest.mark.usefixtures("package")
def test_what_is_imported_already_stays() -> None:
    import leanpack.dear  # type: ignore[import-not-found]
    import leanpack.paint  # type: ignore[import-not-found]

    before = dict(sys.modules)
    with lean_import("leanpack.dear", absent=["leanpack.paint"]):
        assert sys.modules == before
        import leanpack.library as library
    assert library.price is leanpack.dear.price
    assert library.paints


@pytest.mark.usefixtures("package")
def test_a_library_that_fails_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError), lean_import("leanpack.dear"):
        _ = 1 // 0
    import leanpack.dear

    assert leanpack.dear.price() == "the price of all"
