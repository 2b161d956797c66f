"""Adds the fixture ``account`` to pytest: the plugin ``trunkline``.

It is loaded by every run of pytest beside which Trunkline is installed, so it imports nothing until
a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

MISSING = (
    "a test with the fixture `account` needs to know its channel: write a fixture `channel` that"
    " returns a workers.testing.fake.ChannelUnderTest, or set `channel` in the test's class"
)

pytest.register_assert_rewrite("workers.testing.conformance")  # imports nothing either


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of the conformance tests."""
    config.addinivalue_line("markers", "slow: takes long, as it waits for a timeout")


class _Accounts:
    """The account that runs for the tests of a module; another channel gets another one."""

    def __init__(self) -> None:
        self._account: Any = None

    def of(self, channel: Any) -> Any:
        from workers.testing.account import RunningAccount  # late: see above

        if self._account is not None and self._account.channel == channel:
            self._account.reset()
            return self._account
        self.close()
        account = RunningAccount(channel)
        try:
            account.open()
        except BaseException:
            account.close()
            raise
        self._account = account
        return account

    def close(self) -> None:
        account, self._account = self._account, None
        if account is not None:
            account.close()


@pytest.fixture(scope="module")
def trunkline_accounts() -> Iterator[_Accounts]:
    """The account under test, which all tests of a module share."""
    accounts = _Accounts()
    try:
        yield accounts
    finally:
        accounts.close()


@pytest.fixture
def account(request: pytest.FixtureRequest, trunkline_accounts: _Accounts) -> Any:
    """An account of the channel in a real worker: a ``workers.testing.account.RunningAccount``."""
    channel = getattr(request.cls, "channel", None)
    if channel is None:
        try:
            channel = request.getfixturevalue("channel")
        except pytest.FixtureLookupError:
            pytest.fail(MISSING, pytrace=False)
    return trunkline_accounts.of(channel)
