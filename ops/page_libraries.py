"""Downloads the libraries of the console page and turns them into modules that browsers can load.

``python -m ops.page_libraries`` fetches the pinned packages with ``npm pack``, checks their hashes
and writes the files of ``runtime/gateway/page/libraries/``. Those are part of the repository, so
that neither an installation nor the gateway needs Node. A browser knows no bare import such as
``from "preact"`` without an import map, which would be an inline script, so each becomes relative.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

DIRECTORY = Path(__file__).parent.parent / "runtime" / "gateway" / "page" / "libraries"
LICENSES = "LICENSES.txt"
MODULES = {
    "preact": "preact.js",
    "preact/hooks": "hooks.js",
    "@preact/signals-core": "signals-core.js",
    "htm": "htm.js",
}

_IMPORT = re.compile(r"""((?:from|import)\s*)(["'])([^"'./][^"']*)\2""")
_SOURCE_MAP = re.compile(r"\s*//# sourceMappingURL=\S+\s*$")


class Library(msgspec.Struct, frozen=True):
    """A pinned package, and which of its files become which of ours.

    ``integrity`` is the SHA-512 of its archive in base64, as npm has it; ``ending`` is added to its
    modules.
    """

    package: str
    version: str
    integrity: str
    files: dict[str, str]
    ending: str = ""


LIBRARIES = (
    Library(
        "preact",
        "11.2.0",
        "/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    ),
    Library(
        "@preact/signals-core",
        "1.14.5",
        "vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
        {"dist/signals-core.mjs": "signals-core.js"},
    ),
    Library(
        "@preact/signals",
        "2.11.4",
        "Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
        {"dist/signals.mjs": "signals.js"},
    ),
    Library(
        "htm",
        "3.1.1",
        "983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.mjs": "htm.js"},
    ),
    Library(
        "uplot",
        "1.6.32",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
        ending="export default uPlot;\n",
    ),
)


class WrongPackage(Exception):
    """A package differs from the pinned one, or imports one that is not pinned."""


def as_module(text: str, ending: str = "") -> str:
    """Return a library's code with relative imports, without the reference to its source map.

    Raises ``WrongPackage`` if it imports a package that is not in ``MODULES``.
    """

    def relative(found: re.Match[str]) -> str:
        before, quote, name = found.groups()
        if name not in MODULES:
            raise WrongPackage(f"a library imports {name!r}, which is not here: add it to MODULES")
        return f"{before}{quote}./{MODULES[name]}{quote}"

    return f"{_IMPORT.sub(relative, _SOURCE_MAP.sub('', text))}\n{ending}"


def check_archive(library: Library, data: bytes) -> None:
    """Raise ``WrongPackage`` unless ``data`` is the pinned archive."""
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != library.integrity:
        raise WrongPackage(
            f"{library.package} {library.version} has the hash {found}, not the one pinned in"
            f" {Path(__file__).name}: nothing was written"
        )


def fetch(library: Library, directory: Path) -> Path:
    """Download the archive of a library into ``directory`` with npm; return its path."""
    name = f"{library.package}@{library.version}"
    answer = subprocess.run(  # noqa: S603 - a fixed command
        ["npm", "pack", "--silent", name],  # noqa: S607 - npm is where its user has it
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    return directory / answer.stdout.split()[-1]


def main() -> None:
    """Download all libraries; write their files and licences."""
    files: dict[str, str] = {}
    licenses = []
    with TemporaryDirectory() as place:
        for library in LIBRARIES:
            path = fetch(library, Path(place))
            check_archive(library, path.read_bytes())
            with tarfile.open(path) as archive:
                for source, target in library.files.items():
                    text = _read(archive, source)
                    is_module = target.endswith(".js")
                    files[target] = as_module(text, library.ending) if is_module else text
                words = _read(archive, "LICENSE").strip()
            licenses.append(f"{library.package} {library.version}\n\n{words}\n")
    files[LICENSES] = f"\n{'-' * 72}\n".join(licenses)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for target, text in files.items():
        (DIRECTORY / target).write_text(text)
        print(f"{target}: {len(text.encode())} bytes")


def _read(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(f"package/{name}")
    assert file is not None
    return file.read().decode()


if __name__ == "__main__":
    main()
