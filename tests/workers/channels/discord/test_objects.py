from __future__ import annotations

import pytest

from ipc.nesting import decode_json
from workers.channels.discord.objects import (
    EPOCH_MS,
    ApiError,
    Interaction,
    snowflake_at,
    snowflake_ms,
)


@pytest.mark.parametrize("ms", [EPOCH_MS, EPOCH_MS + 1, 1_800_000_000_123])
def test_a_number_holds_its_time(ms: int) -> None:
    assert snowflake_ms(str(snowflake_at(ms))) == ms
    assert snowflake_ms(str(snowflake_at(ms) + (1 << 22) - 1)) == ms


def test_what_is_no_number_has_no_time() -> None:
    assert snowflake_ms("x") == 0
    assert snowflake_at(5) == 0


def test_the_user_of_a_component_is_found_in_both_places() -> None:
    user = b'{"id":"7","username":"ada"}'
    for held in (b'"user":%b' % user, b'"member":{"user":%b}' % user):
        found = decode_json(b'{"id":"1","token":"t",%b}' % held, Interaction)
        assert found.who is not None
        assert found.who.username == "ada"
    assert decode_json(b'{"id":"1","token":"t"}', Interaction).who is None


def test_a_global_limit_is_told_by_a_word_of_python() -> None:
    assert decode_json(b'{"global":true,"retry_after":0.5}', ApiError).everywhere
