"""Who works in a state directory: its owner, or root who becomes that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.config.owner import resolve_as_owner
from runtime.config.places import Flags, resolve
from tests.support.commandline import ROOT
from tests.support.short_directory import ShortDirectory

NOBODY = 65534
NO_ENTRY = 54_321  # in the passwd file
AS_NOBODY = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
SHOW = """
import os, sys
from pathlib import Path
from runtime.config.owner import resolve_as_owner
from runtime.config.places import Flags
try:
    places = resolve_as_owner(os.environ, Flags(state_dir=Path(sys.argv[1])))
except PermissionError as error:
    sys.exit(error.strerror)
print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ["HOME"], places.run_dir)
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory that every user can reach."""
    with ShortDirectory() as place:
        place.chmod(0o755)
        made = place / "state"
        made.mkdir(mode=0o700)
        yield made


def shown(state: Path, *prefix: str, home: str = "/root") -> subprocess.CompletedProcess[str]:
    # Debian's own, which every user can run; what is asked here needs nothing else.
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    command = [*prefix, python, "-P", "-c", SHOW, str(state)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": home}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("there", [True, False])
def test_its_own_directory_or_none_changes_nobody(tmp_path: Path, there: bool) -> None:
    state = tmp_path if there else tmp_path / "new"
    environ = {"HOME": "/h"}
    flags = Flags(state_dir=state)
    assert resolve_as_owner(environ, flags) == resolve({}, flags)
    assert environ == {"HOME": "/h"}


@root_only
@pytest.mark.parametrize("owner", [0, NOBODY])
def test_a_file_in_place_of_the_state_directory_changes_no_user(state: Path, owner: int) -> None:
    state.rmdir()
    state.touch()
    os.chown(state, owner, owner)
    state.parent.chmod(0o777)
    done = shown(state, *(AS_NOBODY if owner == 0 else ()))
    if "No module named" in done.stderr or "ermission denied" in done.stderr:
        pytest.skip("nobody cannot reach this checkout")
    uid = NOBODY if owner == 0 else 0
    assert done.stdout.startswith(f"({uid}, {uid}, {uid})"), done


@root_only
def test_root_becomes_the_owner_for_good(state: Path) -> None:
    os.chown(state, NOBODY, NOBODY)
    done = shown(state)
    if done.returncode and "cannot read" in done.stderr:
        pytest.skip("nobody cannot reach this checkout")
    assert done.returncode == 0, done.stderr
    ids, home, run_dir = (
        f"({NOBODY}, {NOBODY}, {NOBODY})",
        "/nonexistent",
        f"/tmp/trunkline-{NOBODY}",
    )
    assert done.stdout.startswith(f"{ids} {ids} [{NOBODY}] {home} {run_dir}-"), done.stdout


@root_only
@pytest.mark.parametrize("deep", ["state", ".local/state/trunkline", "link"])
def test_root_becomes_the_owner_of_the_place_where_there_is_no_state_yet(
    state: Path, deep: str
) -> None:
    """As with a sudo that keeps HOME: what is made there must be the user's."""
    os.chown(state, NOBODY, NOBODY)
    (state / "link").symlink_to("gone")
    done = shown(state / deep)
    if done.returncode and "cannot read" in done.stderr:
        pytest.skip("nobody cannot reach this checkout")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"({NOBODY}, {NOBODY}, {NOBODY}) "), done.stdout
    assert " /nonexistent /tmp/" in done.stdout
    kept = shown(state / deep, home=str(state))  # the default places lie in it
    assert f" {state} /tmp/" in kept.stdout, kept
    os.chown(state, 0, 0)
    assert shown(state / deep).stdout.startswith("(0, 0, 0) ")


@root_only
def test_root_that_may_not_become_anybody_is_told_how(state: Path) -> None:
    os.chown(state, NOBODY, NOBODY)
    done = shown(state, "setpriv", "--bounding-set", "-setuid,-setgid", "--inh-caps", "-all")
    assert done.returncode == 1, done
    assert f"{state} belongs to nobody" in done.stderr
    assert "`sudo -u nobody trunkline" in done.stderr


@root_only
@pytest.mark.parametrize(
    ("owner", "mode", "named", "command"),
    [
        (0, 0o755, "root", "sudo trunkline"),
        (0, 0o700, "root", "sudo trunkline"),
        (NO_ENTRY, 0o755, str(NO_ENTRY), f"sudo -u '#{NO_ENTRY}' trunkline"),
    ],
)
def test_another_user_is_told_whose_it_is(
    state: Path, owner: int, mode: int, named: str, command: str
) -> None:
    os.chown(state, owner, owner)
    state.chmod(mode)
    done = shown(state, *AS_NOBODY)
    if "No module named" in done.stderr or f"ermission denied: '{ROOT}" in done.stderr:
        pytest.skip("nobody cannot reach this checkout")
    assert done.returncode == 1, done
    assert done.stderr == f"{state} belongs to {named}, not to you; use `{command} …`\n"
