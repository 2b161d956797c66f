"""A setup on a terminal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ops.exits import ExitCode
from runtime.config.load import load
from tests.ops.conftest import CommandLine
from tests.support import terminal
from tests.support.commandline import ON_A_FULL_DISK, trunkline
from tests.support.terminal import on_terminal
from workers.testing.fakes.telegram import fake_telegram
from workers.testing.ports import free_port

SECRET = "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2g="
OTHER = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="


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
