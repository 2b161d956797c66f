from __future__ import annotations

from workers.testing.fakes.discord_objects import ADA, message, new_id


def test_ids_grow() -> None:
    numbers = [int(new_id()) for _ in range(1000)]
    assert numbers == sorted(set(numbers))


def test_fields_of_a_message_are_those_of_the_api() -> None:
    made = message("1", ADA, "hi", guild_id="2", type=19)
    assert (made["channel_id"], made["guild_id"], made["type"]) == ("1", "2", 19)
