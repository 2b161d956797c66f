"""The service from its installation to its end; systemd is a recorded program."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

import pytest

from ops.actions.service import (
    Service,
    control,
    doubts,
    facts_of,
    install,
    service_of,
    service_status,
    uninstall,
)
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.service.unit import Scope, credentials_of
from tests.support.fakeserver import account, fake_supervisor, status
from tests.support.recorded_programs import RecordedPrograms
from tests.support.tiny_disk import tiny_disk

ME = pwd.getpwuid(os.geteuid()).pw_name
ACTIVE = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=4711\nUnitFileState=enabled\nResult=success\n"  # noqa: E501
ABSENT = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\nUnitFileState=\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedPrograms:
    recorded = RecordedPrograms(tmp_path)
    recorded.answer("systemctl", "")
    recorded.answer("systemctl", ABSENT, "show")
    recorded.answer("loginctl", "no\n")
    monkeypatch.setenv("PATH", str(recorded.directory))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return recorded


def service(tmp_path: Path, profile: str | None = None) -> Service:
    given = {"profile": profile} if profile else {"state_dir": str(tmp_path / "state")}
    return service_of(RuntimeTarget(given), "user")


def test_it_is_written_enabled_and_started_once(programs: RecordedPrograms, tmp_path: Path) -> None:
    ours = service(tmp_path)
    done = install(ours)
    assert done["outcome"] == "installed"
    assert done["lingers"] is False
    assert ours.file == tmp_path / "config/systemd/user/trunkline.service"
    assert ours.file.stat().st_mode & 0o777 == 0o644
    order = [call[3:] for call in programs.calls if call[0] == "systemctl"]
    assert order[1:3] == [["daemon-reload"], ["enable", "--now", "trunkline.service"]]
    assert str(tmp_path / "state") in ours.file.read_text()

    programs.answer("systemctl", ACTIVE, "show")
    count = len(programs.calls)
    assert install(ours)["outcome"] == "unchanged"
    assert not any("enable" in call for call in programs.calls[count:])


def test_variables_that_it_does_not_get_are_named_without_their_values(
    programs: RecordedPrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = service(tmp_path)
    ours.places.config_path.parent.mkdir(parents=True, exist_ok=True)
    token = '{source: "env", id: "BOT"}'
    ours.places.config_path.write_text(f"{{channels: {{telegram: {{botToken: {token}}}}}}}")
    for name in ("BOT", "TRUNKLINE_GATEWAY_PORT"):
        monkeypatch.setenv(name, "hush")
    done = install(ours)
    assert {"BOT", "TRUNKLINE_GATEWAY_PORT"} <= set(done["notPassed"])
    assert "TRUNKLINE_SERVICE_MARKER" not in done["notPassed"]
    assert "hush" not in str(done)
    programs.answer("systemctl", "BOT=hush\n", "show-environment")
    assert "BOT" not in install(ours, force=True)["notPassed"]
    assert "BOT" in service_status(ours)["variables"]


def test_another_unit_is_replaced_only_by_force_and_kept(
    programs: RecordedPrograms, tmp_path: Path
) -> None:
    ours = service(tmp_path)
    token = tmp_path / "token"
    token.touch()
    install(ours, [f"token={token}"])
    programs.answer("systemctl", ACTIVE, "show")
    changed = ours.file.read_text().replace("RestartSec=2", "RestartSec=60")
    ours.file.write_text(changed)
    with pytest.raises(OperatorError, match="--force replaces it and keeps a copy"):
        install(ours)
    assert ours.file.read_text() == changed
    done = install(ours, force=True)
    assert Path(done["backup"]).read_text() == changed
    assert done["restartNeeded"]
    assert "RestartSec=2\n" in ours.file.read_text()
    assert credentials_of(ours.file.read_text()) == (("token", token),)


async def test_a_daemon_outside_the_service_is_named(
    programs: RecordedPrograms, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", str(state))
    ours = service_of(RuntimeTarget({"state_dir": str(state)}), "user")
    rows = status(account("local:demo"))
    async with fake_supervisor(state, supervisor__status=rows):
        with pytest.raises(OperatorError, match=r"already runs outside the service \(pid 99\)"):
            await asyncio.to_thread(install, ours)
    assert not ours.file.exists()


def test_a_start_that_fails_says_where_to_look(programs: RecordedPrograms, tmp_path: Path) -> None:
    programs.answer("systemctl", "", "enable", complaint="Job failed.", code=1)
    with pytest.raises(OperatorError, match=r"Job failed\.\nsee `trunkline service logs`"):
        install(service(tmp_path))


def test_a_unit_that_cannot_be_written_is_named_and_nothing_is_left(
    programs: RecordedPrograms, tmp_path: Path
) -> None:
    ours = service(tmp_path)
    with tiny_disk(tmp_path / "config") as disk:
        ours.file.parent.mkdir(parents=True)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(OSError, match="No space left on device") as found:
            install(ours)
        assert found.value.filename == str(ours.file)
        assert list(ours.file.parent.iterdir()) == []


def test_a_service_of_the_other_scope_is_named(programs: RecordedPrograms, tmp_path: Path) -> None:
    ours = service(tmp_path)
    of_the_system = service_of(RuntimeTarget({"state_dir": str(tmp_path / "state")}), "system")
    assert "otherScope" not in service_status(of_the_system)
    install(ours)
    assert service_status(of_the_system)["otherScope"] == "user"
    assert "otherScope" not in service_status(ours)
    with pytest.raises(
        OperatorError, match="that of the user does: `trunkline service stop --user`"
    ):
        control(of_the_system, "stop")


def test_what_is_not_as_it_would_be_is_named(programs: RecordedPrograms, tmp_path: Path) -> None:
    ours = service(tmp_path)
    assert service_status(ours)["installed"] is False
    install(ours)
    text = ours.file.read_text()
    assert doubts(ours, text) == []
    stale = text.replace(facts_of(ours).command[0], "/gone/bin/python")
    stale = stale.replace("Delegate=yes\n", "").replace("MARKER=trunkline", "MARKER=other")
    ours.file.write_text(stale)
    found = service_status(ours)["doubts"]
    assert [each.partition(" ")[0] for each in found[:3]] == ["it", "it", "its"]
    assert "its interpreter /gone/bin/python does not exist" in found
    assert "Delegate= is missing; now `Delegate=yes`" in found
    programs.answer("systemctl", ACTIVE, "show")
    shown = service_status(ours)
    assert (shown["active"], shown["enabled"], shown["pid"]) == ("active", True, 4711)


def test_an_uninstall_keeps_the_state(programs: RecordedPrograms, tmp_path: Path) -> None:
    ours = service(tmp_path)
    assert uninstall(ours) is False
    install(ours)
    assert uninstall(ours) is True
    assert not ours.file.exists()
    assert programs.called("systemctl", "disable", "--now", "trunkline.service")
    assert programs.calls[-1][-1] == "daemon-reload"


def test_only_what_is_installed_is_controlled(programs: RecordedPrograms, tmp_path: Path) -> None:
    ours = service(tmp_path, "two")
    with pytest.raises(OperatorError, match="`trunkline service install` writes it") as caught:
        control(ours, "restart")
    assert caught.value.exit == ExitCode.NOT_RUNNING
    install(ours)
    control(ours, "restart")
    assert programs.called("systemctl", "restart", "trunkline-two.service")
    assert facts_of(ours).command[-4:] == ("--profile", "two", "up", "--quiet")


@pytest.mark.parametrize("text", ["token", "=/a", "a/b=/c", "a=relative", "a b=/c"])
def test_what_is_no_credential_is_refused(
    programs: RecordedPrograms, tmp_path: Path, text: str
) -> None:
    with pytest.raises(UsageFailure, match="NAME=/path/of/a/file"):
        install(service(tmp_path), [text])


def test_a_credential_that_does_not_exist_is_refused(
    programs: RecordedPrograms, tmp_path: Path
) -> None:
    """systemd would start the service again and again, and fail each time."""
    ours = service(tmp_path)
    with pytest.raises(UsageFailure, match=r"--credential token: /.*/gone does not exist"):
        install(ours, [f"token={tmp_path}/gone"])
    assert not ours.file.exists()


def test_the_user_of_a_system_service_exists_and_owns_the_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = RuntimeTarget({"state_dir": str(tmp_path)})
    with pytest.raises(UsageFailure, match="there is no user 'nobody-here'"):
        service_of(target, "system", "nobody-here")
    with pytest.raises(UsageFailure, match="--run-as is for --system"):
        service_of(target, "user", ME)
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # set for a service of another user
    assert service_of(target, "system").user == ME
    other = next(each.pw_name for each in pwd.getpwall() if each.pw_uid != os.geteuid())
    with pytest.raises(OperatorError, match=f"belongs to {ME}, not to {other}"):
        service_of(target, "system", other)


@pytest.mark.parametrize("scope", ["user", "system"])
def test_a_user_without_an_entry_has_a_number_and_no_system_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scope: Scope
) -> None:
    """As in a container that runs as any user."""
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    target = RuntimeTarget({"state_dir": str(tmp_path)})
    if scope == "user":
        assert service_of(target, scope).user == "54321"
    else:
        with pytest.raises(UsageFailure, match="there is no user '54321'"):
            service_of(target, scope)
