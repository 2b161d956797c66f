"""Only regular files below the directory are opened, whatever is put into it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.gateway.http.canvas_files import Directory, NotThere, OpenedFile, open_file, type_of


@pytest.fixture
def root(short_path: Path) -> Path:
    """Return a directory with pages, beside one with a secret."""
    outside, root = short_path / "outside", short_path / "root"
    for place in (outside, root / "sub", root / "empty", root / ".git", short_path / "root-2"):
        place.mkdir(parents=True)
    for file in (outside / "secret", short_path / "root-2" / "secret", root / ".env"):
        file.write_text("secret")
    (root / ".git" / "config").write_text("secret")
    (root / "index.html").write_text("<p>")
    (root / "a b%.html").write_text("named oddly")
    (root / "sub" / "index.html").write_text("<p>sub")
    (root / "sub" / "data.json").write_text("{}")
    links = {
        "inside": "sub/data.json",
        "inside_directory": "sub",
        "out": "../outside/secret",
        "out_absolute": str(outside / "secret"),
        "out_directory": "../outside",
        "sibling": "../root-2/secret",
        "hidden": ".env",
        "into_hidden": ".git",
        "loop": "loop",
        "dangling": "nowhere",
        "device": "/dev/zero",
        "itself": ".",
        "upwards": "..",
        "memory": "/proc/self/mem",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "socket"))
    return root


def content(opened: OpenedFile | Directory) -> str:
    assert isinstance(opened, OpenedFile)
    try:
        return Path(f"/proc/self/fd/{opened.fd}").read_text()
    finally:
        os.close(opened.fd)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "<p>"),
        ("index.html", "<p>"),
        ("a b%.html", "named oddly"),
        ("sub/", "<p>sub"),
        ("sub/data.json", "{}"),
        ("inside", "{}"),
        ("inside_directory/data.json", "{}"),
        ("inside_directory/", "<p>sub"),
        ("itself/sub/data.json", "{}"),
    ],
)
def test_files_below_the_directory_are_opened(root: Path, path: str, text: str) -> None:
    assert content(open_file(root, path)) == text


@pytest.mark.parametrize("path", ["sub", "inside_directory"])
def test_a_directory_with_an_index_wants_a_slash(root: Path, path: str) -> None:
    assert isinstance(open_file(root, path), Directory)


@pytest.mark.parametrize(
    "path",
    [
        *("nowhere", "empty", "empty/", "index.html/", "index.html/x", "INDEX.HTML", "Sub/"),
        *("out", "out_absolute", "out_directory/secret", "sibling", "upwards/outside/secret"),
        *("..", "../outside/secret", "sub/../../outside/secret", ".", "./index.html", "sub/.."),
        *("/etc/passwd", "//etc/passwd", "sub//data.json", "/", "//"),
        *(".env", ".git/config", "hidden", "into_hidden/config", "sub/.x"),
        *("pipe", "socket", "device", "memory", "loop", "dangling", "out_directory"),
        *("index.html\0", "\0", "x" * 300, "x/" * 3000, "x" * 300 + "/"),
    ],
)
def test_nothing_else_is_there(root: Path, path: str) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NotThere):
        open_file(root, path)
    assert os.listdir("/proc/self/fd") == before


def test_what_is_put_in_the_place_of_a_directory_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that appears after the path was resolved leads nowhere."""
    resolve = os.path.realpath

    def resolve_and_replace(path: str) -> str:
        found = resolve(path)
        if found.endswith("data.json"):
            (root / "sub").rename(root / "before")
            (root / "sub").symlink_to("../outside")
            (root.parent / "outside" / "data.json").write_text("secret")
        return found

    monkeypatch.setattr(os.path, "realpath", resolve_and_replace)
    with pytest.raises(NotThere):
        open_file(root, "sub/data.json")


def test_a_root_that_is_a_link_or_that_is_missing(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert content(open_file(root.parent / "link", "sub/data.json")) == "{}"
    with pytest.raises(NotThere):
        open_file(root.parent / "missing", "index.html")
    with pytest.raises(NotThere):
        open_file(root / "index.html", "")


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("A.SVG", "image/svg+xml; charset=utf-8"),
        ("a.min.js", "text/javascript; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.exe", "application/octet-stream"),
        ("html", "text/html; charset=utf-8"),
        ("README", "application/octet-stream"),
    ],
)
def test_the_type_is_that_of_the_ending(name: str, type: str) -> None:
    assert type_of(name) == type
