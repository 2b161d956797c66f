"""What goes to the log goes without the account's secrets, and a bad log call hurts nobody."""

from __future__ import annotations

import logging

import pytest

from workers.process.logging import Redaction, log_to_stderr


def redaction(*secrets: object) -> Redaction:
    redact = Redaction()
    for secret in secrets:
        redact.add(secret)
    return redact


def test_secrets_are_replaced_longest_first() -> None:
    redact = redaction("hunter2", "hunter2-and-more", {"inner": ["nested-secret"]})
    assert redact("hunter2-and-more hunter2 nested-secret") == "*** *** ***"


def test_what_is_too_short_to_be_a_secret_stays() -> None:
    assert redaction("abc", None, 5)("abcabc 5") == "abcabc 5"


def test_the_plugins_log_is_a_line_with_level_and_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log_to_stderr(redaction("hunter2")) as log:
        log.info("connected", server="irc.example", password="hunter2")
        log.debug("not told")
    assert capsys.readouterr().err == "INFO connected server='irc.example' password='***'\n"


def test_an_exception_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(redaction()) as log:
        try:
            raise ValueError("oops")
        except ValueError:
            log.exception("it failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ERROR it failed"
    assert lines[-1] == "ValueError: oops"


def test_an_sdk_logs_through_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(redaction("12345:token")):
        logging.getLogger("sdk.http").info("GET https://api/bot%s/me", "12345:token")
        logging.getLogger("sdk.http").debug("not told")
    assert capsys.readouterr().err == "INFO sdk.http: GET https://api/bot***/me\n"


def test_wrong_log_arguments_are_told_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(redaction()):
        # Given to our handler alone: pytest's own would raise.
        record = logging.LogRecord("sdk", 30, __file__, 1, "%d apples", ("many",), None)
        logging.getLogger().handlers[-1].handle(record)
    assert "bad log arguments" in capsys.readouterr().err


def test_logging_is_restored_afterwards() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with log_to_stderr(redaction()):
        assert root.handlers != before[0]
    assert (root.handlers, root.level) == before
