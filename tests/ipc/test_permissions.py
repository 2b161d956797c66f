"""What is said about a file that may not be written, and whether the command there helps."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipc import permissions
from tests.support.ordinary_user import UID
from tests.support.short_directory import ShortDirectory

ROOT = os.geteuid() == 0
USER = UID if ROOT else os.geteuid()
root_only = pytest.mark.skipif(not ROOT, reason="only root gives files away")


@contextmanager
def ordinary() -> Iterator[None]:
    """Act as an ordinary user, to whom modes apply."""
    if not ROOT:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(USER)
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the user, in one of the user who runs the tests."""
    with ShortDirectory() as place:
        place.chmod(0o755)
        home = place / "h"
        home.mkdir(mode=0o700)
        give(home)
        yield home
        for path in (home, *home.rglob("*")):
            path.chmod(0o700)


def give(path: Path) -> None:
    if ROOT:
        os.chown(path, USER, USER)


def directory(path: Path, mode: int = 0o700) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


def file(path: Path, mode: int = 0o600) -> Path:
    path.touch()
    path.chmod(mode)
    return path


def own(path: Path) -> Path:
    give(path)
    return path


def deep(home: Path) -> Path:
    """What root has made below another thing that root has made."""
    file(directory(home / "accounts") / "one")
    return home / "accounts" / "one"


def link(home: Path) -> Path:
    """A directory that lies elsewhere."""
    directory(home / "there")
    (home / "logs").symlink_to(home / "there")
    return home / "logs" / "up.log"


FOREIGN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a directory": (lambda home: directory(home / "logs") / "up.log", "logs"),
    "a directory with blanks": (lambda home: directory(home / "my logs") / "up.log", "my logs"),
    "a file": (lambda home: file(home / "supervisor.lock"), "supervisor.lock"),
    "a file in it": (deep, "accounts"),
    "a missing directory in it": (lambda home: directory(home / "x") / "y" / "z", "x"),
    "where a link leads": (link, "there"),
}
CLOSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a directory": (lambda home: own(directory(home / "logs", 0o500)) / "up.log", "logs"),
    "a directory without search": (lambda home: own(directory(home / "x", 0o600)) / "y" / "z", "x"),
    "a missing directory in it": (lambda home: own(directory(home / "x", 0o500)) / "y" / "z", "x"),
    "a file": (lambda home: own(file(home / "boot", 0o400)), "boot"),
}


def write(path: Path) -> OSError | None:
    """Write a file as the ordinary user, with its directories; return the error."""
    with ordinary():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        except OSError as error:
            return error
    return None


@root_only
@pytest.mark.parametrize("case", FOREIGN)
def test_what_root_has_left_in_the_way_is_named_with_the_command_that_helps(
    home: Path, case: str
) -> None:
    make, name = FOREIGN[case]
    path = make(home)
    error = write(path)
    assert error is not None
    with ordinary():
        said = permissions.describe(error)
    command = f"chown -R --from=root {USER} {shlex.quote(str(home / name))}"
    assert said == (
        f"{error.filename}: Permission denied; {home / name} belongs to root, not to you:"
        f" `sudo {command}`"
    )
    subprocess.run(shlex.split(command), check=True)
    assert write(path) is None


@pytest.mark.parametrize("case", CLOSED)
def test_what_is_closed_to_its_owner_is_named_with_the_command_that_helps(
    home: Path, case: str
) -> None:
    make, name = CLOSED[case]
    path = make(home)
    error = write(path)
    assert error is not None
    with ordinary():
        said = permissions.describe(error)
    *_, command, rest = said.split("`")
    assert rest == ""
    assert said.startswith(f"{error.filename}: Permission denied; you have no right to write ")
    assert shlex.split(command)[0::2] == ["chmod", str(home / name)]
    with ordinary():
        subprocess.run(shlex.split(command), check=True)
    assert write(path) is None


@root_only
@pytest.mark.parametrize("there", [True, False])
def test_no_directory_of_the_system_is_to_be_given_away(home: Path, there: bool) -> None:
    path = home.parent / "state"
    if there:
        file(path)
    error = write(path)
    assert error is not None
    with ordinary():
        said = permissions.reason(error)
    obstacle, wanted = (path, "given to") if there else (home.parent, "created for")
    assert said == (
        f"Permission denied; {obstacle} belongs to root, not to you: use another path, or have"
        f" {path} {wanted} you"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (PermissionError(errno.EACCES, "Permission denied", 3), "Permission denied"),
        (OSError(errno.EROFS, "Read-only", b"/x y"), "/x y: Read-only; `findmnt -T '/x y'` names"),
        (PermissionError(errno.EACCES, "denied", "/proc/1/mem"), "/proc/1/mem: denied"),
        (OSError("odd"), "odd"),
    ],
)
def test_other_errors_are_described_without_a_cure_that_is_none(error: OSError, said: str) -> None:
    assert permissions.describe(error).startswith(said)
    if error.errno != errno.EROFS:
        assert permissions.describe(error) == said


def test_a_file_that_may_be_written_needs_no_cure(home: Path) -> None:
    """Something else forbids it: an attribute of the file, or a security module."""
    path = own(file(home / "boot"))
    with ordinary():
        assert permissions.cure(path) == ""
        assert permissions.cure(home / "new") == ""
        denied = PermissionError(errno.EPERM, "Operation not permitted", path)
        assert permissions.describe(denied) == f"{path}: Operation not permitted"


@root_only
def test_the_file_of_another_that_may_be_written_needs_no_cure(home: Path) -> None:
    """An error of the disk, say, is not the fault of its owner."""
    path = file(home / "journal.db", 0o666)
    with ordinary():
        assert permissions.cure(path) == ""
