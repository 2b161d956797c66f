"""What the documents name exists: files, folders and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ["docs/architecture.md", "CONTRIBUTING.md", "docs/benchmarks.md", "docs/mutants.md"]
TOPS = "ipc|workers|runtime|ops|bench|tests|docs"
NAMED = re.compile(rf"(?<![\w/.:@-])(?:{TOPS})/[\w./-]*\w/?")
DOCUMENT = re.compile(r"\b[A-Z][A-Z-]+\.md\b")
MOST_ROOMS = 20
MOST_FILES_OF_OPS = 5
FROM_A_CLIENT, ON_THIS_HOST = (
    "`channels.stop` from a client",
    "`trunkline channels stop` on this host",
)


def rooms(walk: str) -> list[str]:
    """Return the modules that a walk of the architecture goes through, in order."""
    text = (ROOT / "docs/architecture.md").read_text()
    _, _, rest = text.partition(f"### {walk}\n")
    assert rest, f"no walk {walk!r}"
    return NAMED.findall(re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0])


@pytest.mark.parametrize("page", PLACES)
def test_every_path_that_is_named_exists(page: str) -> None:
    named = set(NAMED.findall((ROOT / page).read_text()))
    assert len(named) > 3, "nothing is found any more"
    roots = (ROOT, (ROOT / page).parent)  # of code, and of links
    assert {path for path in named if not any((root / path).exists() for root in roots)} == set()


def test_every_folder_of_the_product_is_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for package in ("ipc", "workers", "runtime", "ops")
        for path in (ROOT / package).rglob("*.py")
    }
    for folder in folders:
        if folder.startswith(("workers/channels/", "workers/agents/")):
            continue  # each is like the others
        assert f"`{folder}/`" in text or f"`{Path(folder).name}/`" in text, folder


def test_the_way_of_a_stop_is_short() -> None:
    way = rooms(FROM_A_CLIENT)
    assert len(way) == len(set(way))
    assert 10 < len(way) <= MOST_ROOMS
    assert (
        1
        < len([room for room in rooms(ON_THIS_HOST) if room.startswith("ops/")])
        <= (MOST_FILES_OF_OPS)
    )


@pytest.mark.parametrize("package", ["ipc", "workers", "runtime", "ops", "bench", "tests"])
def test_the_source_refers_to_no_document_that_is_not_here(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for name in DOCUMENT.findall(path.read_text()):
            places = (ROOT, ROOT / "docs", path.parent)
            assert any((place / name).exists() for place in places), f"{path}: {name}"
