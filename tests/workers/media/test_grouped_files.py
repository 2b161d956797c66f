"""Files of one message that are sent in groups: in order, and never as if nothing was sent."""

from __future__ import annotations

import pytest

from workers.errors import MaybeSent, SendFailed
from workers.media.grouped_files import groups_of, send_groups


@pytest.mark.parametrize(
    ("files", "groups"), [("", []), ("ab", ["ab"]), ("abc", ["abc"]), ("abcde", ["abc", "de"])]
)
def test_files_are_divided_in_order(files: str, groups: list[str]) -> None:
    assert groups_of(files, 3) == groups


class Platform:
    """A platform that accepts so many groups, and refuses all others."""

    def __init__(self, accepted: int) -> None:
        self.accepted = accepted
        self.sent: list[tuple[int, str]] = []

    async def send(self, number: int, group: str) -> str:
        if len(self.sent) == self.accepted:
            raise SendFailed("it is full", reason="unavailable")
        self.sent.append((number, group))
        return f"message {number}"


async def test_every_group_is_sent_and_the_first_result_is_that_of_the_message() -> None:
    platform = Platform(3)
    assert await send_groups(["a", "b", "c"], platform.send, "files") == "message 0"
    assert platform.sent == [(0, "a"), (1, "b"), (2, "c")]


async def test_a_failure_before_anything_was_sent_is_that_of_the_message() -> None:
    with pytest.raises(SendFailed, match=r"^it is full$") as failed:
        await send_groups(["a", "b"], Platform(0).send, "files")
    assert not failed.value.maybe_sent


async def test_a_later_failure_says_how_many_were_sent_and_ends_the_message() -> None:
    platform = Platform(2)
    with pytest.raises(MaybeSent, match=r"^2 of 4 files were sent; it is full$"):
        await send_groups(["a", "b", "c", "d"], platform.send, "files")
    assert len(platform.sent) == 2
