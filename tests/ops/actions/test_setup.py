"""A setup on a terminal."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.actions.setup import carry_out
from ops.actions.setup_plan import Plan
from ops.exits import ExitCode, OperatorError
from runtime.config.load import load
from tests.ops.conftest import CommandLine
from tests.support import terminal
from tests.support.commandline import ON_A_FULL_DISK, trunkline
from tests.support.terminal import on_terminal
from workers.testing.fakes.telegram import fake_telegram
from workers.testing.ports import free_port

SECRET = "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2g="
OTHER = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
AGENT, ACCOUNT = ["agents", "add", "main"], ["channels", "add", "irc:a"]
WAIT = ["wait", "irc:a"]
RESTART = ["channels", "restart", "irc:a"]


def written(path: Path) -> str:
    return path.read_text()


def test_without_a_terminal_it_says_what_does_it(cli: CommandLine) -> None:
    cli("setup").complains(ExitCode.USAGE, "no terminal", "channels add")


@pytest.mark.e2e
async def test_ctrl_c_leaves_nothing(state: Path) -> None:
    async with on_terminal(state, "setup", "--no-probe") as screen:
        await screen.shows("Choose [telegram]: ")
        screen.types("nonsense\n")
        await screen.shows("The answer is one of")
        screen.types("\n")
        await screen.shows("Name of the account [main]: ")
        screen.types("\n")
        await screen.shows("botToken: ")
        screen.types(f"{SECRET}\n")
        await screen.shows("botToken is not a bot token")
        await screen.shows("botToken: ")  # what is typed before a hidden prompt is thrown away
        screen.types("123456:AAF2\n")
        await screen.shows("[as it is]: ")
        screen.types("\n")
        await screen.shows("Do it? [yes]: ")
        screen.types("\x03")
        await screen.shows("\r\ntrunkline: interrupted: nothing was done\r\n")
        assert await screen.ends() == ExitCode.INTERRUPTED
    assert "  The bot's token, from @BotFather. It is not shown while you type.\r\n" in screen.text
    assert SECRET not in screen.text
    assert os.listdir(state) == []


@pytest.mark.e2e
@pytest.mark.parametrize(("key", "code"), [("\x03", ExitCode.INTERRUPTED), ("\x04", 1)])
async def test_whoever_gives_up_is_told_that_nothing_was_done(
    state: Path, key: str, code: int
) -> None:
    async with on_terminal(state, "setup", "--no-probe") as screen:
        for shown, typed in (("Choose [telegram]: ", "\n"), ("Name of the account [main]: ", key)):
            await screen.shows(shown)
            screen.types(typed)
        await screen.shows("\r\ntrunkline: ")
        await screen.shows(
            "nothing was done" + ("\r\n" if key == "\x03" else "; `trunkline setup`")
        )
        assert await screen.ends() == code
    assert os.listdir(state) == []


@pytest.mark.e2e
async def test_what_keeps_the_daemon_from_starting_is_said_before_anything_is_asked(
    state: Path,
) -> None:
    (state / "trunkline.json5").write_text("{channels: {}}")
    async with on_terminal(state, "setup") as screen:
        await screen.shows("gateway.auth.token: is missing")
        assert await screen.ends() == ExitCode.CONFIGURATION
    assert "Which channel" not in screen.text


def with_fake(state: Path, root: str) -> Path:
    """Write a configuration whose bots are at a server that stands for Telegram."""
    path = state / "trunkline.json5"
    section = f'{{apiRoot: "{root}", accounts: {{}}}}'
    path.write_text(f'{{gateway: {{auth: {{token: "t"}}}}, channels: {{telegram: {section}}}}}\n')
    path.chmod(0o600)
    return path


BEFORE_TOKEN = (("Choose [telegram]: ", ""), ("Name of the account [main]: ", ""))


@pytest.mark.e2e
async def test_a_wrong_token_is_noticed_before_it_is_written(state: Path) -> None:
    async with fake_telegram() as fake:
        path = with_fake(state, fake.root)
        before = path.read_text()
        fake.bot("123456:wrong").revoked = True
        async with on_terminal(state, "setup", columns=80) as screen:
            for shown, typed in (
                *BEFORE_TOKEN,
                ("botToken: ", "123456:wrong"),
                ("Choose [again]: ", ""),
                ("botToken: ", "123456:right"),
                ("It is @fake123456_bot (Fake).", None),
                ("[as it is]: ", ""),
                ("Do it? [yes]: ", "no"),
            ):
                await screen.shows(shown)
                if typed is not None:
                    screen.types(f"{typed}\n")
            assert await screen.ends() == ExitCode.OK
        said = " ".join(screen.text.split())
        assert "Telegram refuses it: Telegram refuses getMe: Unauthorized (401);" in said
        assert "123456:wrong" not in screen.text
        assert path.read_text() == before
        assert os.listdir(state) == ["trunkline.json5"]


@pytest.mark.e2e
@pytest.mark.parametrize("options", [[], ["--no-probe"]])
async def test_setup_continues_without_a_connection_to_the_platform(
    state: Path, options: list[str]
) -> None:
    with_fake(state, f"http://127.0.0.1:{free_port()}")
    async with on_terminal(state, "setup", *options) as screen:
        for shown, typed in (*BEFORE_TOKEN, ("botToken: ", "123456:right")):
            await screen.shows(shown)
            screen.types(f"{typed}\n")
        if not options:
            await screen.shows("Telegram could not be asked: ")
            await screen.shows("Choose [on]: ")
            screen.types("\n")
        await screen.shows("[as it is]: ")
        screen.types("\n")
        await screen.shows("Do it? [yes]: ")
        screen.types("no\n")
        assert await screen.ends() == ExitCode.OK
    assert ("could not be asked" in screen.text) is not bool(options)


ASKED = [*BEFORE_TOKEN, ("botToken: ", "123456:wrong"), ("Choose [again]: ", "on")]
ASKED += [("Choose [as it is]: ", ""), ("Do it? [yes]: ", "")]


async def test_a_full_disk_is_named_as_the_reason(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PROGRAM", ON_A_FULL_DISK)
    async with on_terminal(state, "--state-dir", str(state), "setup", "--no-probe") as screen:
        for question, answer in (
            ("Choose [telegram]: ", "local\n"),
            ("Name of the account [main]: ", "\n"),
            ("[as it is]: ", "\n"),
            ("Do it? [yes]: ", "\n"),
        ):
            await screen.shows(question)
            screen.types(answer)
        await screen.shows("trunkline.json5: cannot be written: File too large")
        await screen.shows(f"`trunkline --state-dir {state} up --detach` failed")
        assert await screen.ends() == ExitCode.ERROR
    assert not (state / "trunkline.json5").exists()


@pytest.mark.e2e
@pytest.mark.parametrize("end", ["\x03", "\x04"])  # Ctrl-C, and the end of the input
@pytest.mark.parametrize("place", range(len(ASKED)))
async def test_leaving_setup_at_any_question_changes_nothing(
    state: Path, place: int, end: str
) -> None:
    async with fake_telegram() as fake:
        path = with_fake(state, fake.root)
        before = path.read_text()
        fake.bot("123456:wrong").revoked = True
        async with on_terminal(state, "setup") as screen:
            for shown, typed in ASKED[:place]:
                await screen.shows(shown)
                screen.types(f"{typed}\n")
            await screen.shows(ASKED[place][0])
            screen.types(end)
            code = await screen.ends()
    assert code == (ExitCode.INTERRUPTED if end == "\x03" else ExitCode.ERROR)
    assert "Traceback" not in screen.text
    assert end == "\x03" or "nothing was done" in screen.text
    assert path.read_text() == before
    assert os.listdir(state) == ["trunkline.json5"]


@pytest.mark.slow
@pytest.mark.e2e
async def test_an_account_that_runs_from_nothing(state: Path) -> None:
    port = str(free_port())
    try:
        async with on_terminal(state, "setup", TRUNKLINE_GATEWAY_PORT=port) as screen:
            for shown, typed in (
                ("Choose [telegram]: ", "webhook"),
                ("Name of the account [main]: ", "shop"),
                ("secret: ", SECRET),
                ("[as it is]: ", "echo"),
                ("Do it? [yes]: ", "y"),
            ):
                await screen.shows(shown)
                screen.types(f"{typed}\n")
            await screen.shows("service install")
            assert await screen.ends() == ExitCode.OK
        hidden = state / "secrets" / "webhook.shop.secret"
        assert written(hidden) == f"{SECRET}\n"
        assert stat.S_IMODE(hidden.stat().st_mode) == 0o600
        assert SECRET not in screen.text
        fields = load(state / "trunkline.json5").raw["channels"]["webhook"]["accounts"]["shop"]
        assert fields == {"agent": "main", "secret": {"source": "file", "id": str(hidden)}}
        async with on_terminal(state, "setup", TRUNKLINE_GATEWAY_PORT=port) as screen:
            for shown, typed in (
                ("Choose [telegram]: ", "webhook"),
                ("Name of the account [main]: ", "shop"),
                ("secret (Enter: unchanged): ", "hush"),
                ("secret (Enter: unchanged): ", OTHER),
                ("channels restart webhook:shop", "y"),
            ):
                await screen.shows(shown)
                screen.types(f"{typed}\n")
            assert await screen.ends() == ExitCode.OK
        assert "secret must" in screen.text
        assert written(hidden) == f"{OTHER}\n"
    finally:
        assert (await trunkline(state, "down")).code == ExitCode.OK


@pytest.mark.parametrize("fails", [AGENT, ACCOUNT])
def test_what_is_refused_takes_back_what_was_done(tmp_path: Path, fails: list[str]) -> None:
    hidden = tmp_path / "secrets" / "a"
    ran: list[list[str]] = []

    def run(command: Sequence[str]) -> None:
        ran.append(list(command))
        if command == fails:
            raise OperatorError("refused")

    with pytest.raises(OperatorError, match="refused"):
        carry_out(Plan({hidden: "x"}, [["up"], AGENT, ACCOUNT, WAIT]), run)
    taken_back = [["agents", "remove", "main"]] if fails == ACCOUNT else []
    assert ran == [["up"], AGENT, *([ACCOUNT] if fails == ACCOUNT else []), *taken_back]
    assert not hidden.exists()


def ctrl_c(command: Sequence[str], at: list[str]) -> None:
    if command == at:
        signal.raise_signal(signal.SIGINT)  # a signal of the process another thread may take late


def refused_with_130(command: Sequence[str], at: list[str]) -> None:
    if command == at:
        raise OperatorError("`trunkline wait irc:a` failed", ExitCode.INTERRUPTED)


@pytest.mark.parametrize(
    ("interrupt", "at"),
    [(ctrl_c, AGENT), (ctrl_c, ACCOUNT), (ctrl_c, WAIT), (refused_with_130, WAIT)],
)
def test_ctrl_c_lets_it_finish_and_says_what_stands(
    tmp_path: Path, interrupt: Callable[[Sequence[str], list[str]], None], at: list[str]
) -> None:
    ran: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> None:
        ran.append(command)
        interrupt(command, at)

    hidden = tmp_path / "secrets" / "a"
    with pytest.raises(
        OperatorError, match=r"configuration is kept.*channels describe irc:a"
    ) as found:
        carry_out(Plan({hidden: "x"}, [AGENT, ACCOUNT, WAIT]), run)
    assert found.value.exit == ExitCode.INTERRUPTED
    assert ran == [AGENT, ACCOUNT, WAIT][: 3 if at == WAIT else 2]
    assert hidden.exists()


def test_ctrl_c_just_after_the_changes_does_not_say_that_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Sequence[str]] = []
    put_back = signal.signal

    def interrupted(number: int, handler: Any) -> Any:
        before = put_back(number, handler)
        if number == signal.SIGINT and ran:  # not before the changes
            raise KeyboardInterrupt
        return before

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(OperatorError, match=r"configuration is kept.*channels describe irc:a"):
        carry_out(Plan({tmp_path / "secrets" / "a": "x"}, [ACCOUNT, WAIT]), ran.append)
    assert ran == [ACCOUNT]


def test_setup_waits_for_the_account_at_the_end(tmp_path: Path) -> None:
    ran: list[Sequence[str]] = []
    carry_out(Plan({tmp_path / "s" / "a": "x"}, [ACCOUNT, WAIT]), ran.append)
    assert ran == [ACCOUNT, WAIT]
    assert (tmp_path / "s" / "a").read_text() == "x\n"


@pytest.mark.parametrize("fails", [ACCOUNT, RESTART, WAIT])
def test_a_file_that_was_there_is_put_back_only_where_nothing_refers_to_it(
    tmp_path: Path, fails: list[str]
) -> None:
    hidden = tmp_path / "secrets" / "a"
    hidden.parent.mkdir()
    hidden.write_text("before\n")

    def run(command: Sequence[str]) -> None:
        if command == fails:
            raise OperatorError("refused")

    with pytest.raises(OperatorError, match="refused") as found:
        carry_out(Plan({hidden: "after"}, [ACCOUNT, RESTART, WAIT]), run)
    assert hidden.read_text() == ("before\n" if fails == ACCOUNT else "after\n")
    assert ("asks for it again" in str(found.value)) == (fails != ACCOUNT)


def test_a_full_disk_takes_no_secret_that_was_there(tmp_path: Path) -> None:
    earlier, full = tmp_path / "secrets" / "a", tmp_path / "secrets" / "b"
    earlier.parent.mkdir()
    earlier.write_text("before" * 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    ran: list[Sequence[str]] = []
    try:
        with pytest.raises(OSError, match="File too large") as found:
            carry_out(Plan({earlier: "after", full: "x" * 200}, [ACCOUNT, WAIT]), ran.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert found.value.filename == str(full)
    assert earlier.read_text() == "before" * 20
    assert list(earlier.parent.iterdir()) == [earlier]
    assert ran == []


def test_nothing_is_kept_of_a_secret_that_was_replaced(tmp_path: Path) -> None:
    hidden = tmp_path / "secrets" / "a"
    for secret in ("before", "after"):
        carry_out(Plan({hidden: secret}, [RESTART]), lambda command: None)
    assert hidden.read_text() == "after\n"
    assert list(hidden.parent.iterdir()) == [hidden]
