"""The libraries of the console page: pinned, checked, and without bare imports."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from ops.page_libraries import (
    DIRECTORY,
    LIBRARIES,
    LICENSES,
    Library,
    WrongPackage,
    as_module,
    check_archive,
)


def test_bare_imports_become_relative_and_the_source_map_goes() -> None:
    text = 'import{a}from"preact";import b from "htm";import\'./c.js\';x="from y";'
    text += "//# sourceMappingURL=a.mjs.map\n"
    made = as_module(text, "export default a;\n")
    assert made == (
        'import{a}from"./preact.js";import b from "./htm.js";import\'./c.js\';x="from y";\n'
        "export default a;\n"
    )


def test_an_import_that_is_not_here_is_refused() -> None:
    with pytest.raises(WrongPackage, match="'preact/compat', which is not here"):
        as_module('import{a}from"preact/compat"')


def test_another_archive_than_the_pinned_one_is_refused() -> None:
    pinned = base64.b64encode(hashlib.sha512(b"archive").digest()).decode()
    library = Library("left-pad", "1.0.0", pinned, {})
    check_archive(library, b"archive")
    with pytest.raises(WrongPackage, match=r"left-pad 1\.0\.0 has the hash .* nothing was written"):
        check_archive(library, b"another")


def test_every_library_is_there_with_its_license_and_ready_for_a_browser() -> None:
    licenses = (DIRECTORY / LICENSES).read_text()
    expected = {LICENSES} | {target for each in LIBRARIES for target in each.files.values()}
    assert {path.name for path in DIRECTORY.iterdir()} == expected
    for library in LIBRARIES:
        assert f"{library.package} {library.version}\n" in licenses
        for target in library.files.values():
            bare = re.findall(
                r"""\bfrom\s*["']([^."'][^"']*)["']""", (DIRECTORY / target).read_text()
            )
            assert bare == [], f"{target} imports {bare}"
