from __future__ import annotations

import msgspec

from workers.channels.telegram.objects import ApiReply, Update, User


def test_what_is_not_known_is_skipped() -> None:
    update = msgspec.json.decode(
        b'{"update_id": 1, "message": {"message_id": 2, "date": 3, "new_thing": {"a": [1]},'
        b' "chat": {"id": 4, "type": "private", "first_name": "x"}, "from": {"id": 5}}}',
        type=Update,
    )
    assert update.any_message is not None
    assert update.any_message.sender == User(id=5)
    assert not update.edited


def test_an_edited_post_is_an_edit() -> None:
    chat = {"id": 4, "type": "channel"}
    post = {"message_id": 2, "date": 3, "chat": chat}
    update = msgspec.convert({"update_id": 1, "edited_channel_post": post}, Update)
    assert update.edited
    assert update.any_message is not None


def test_a_refusal_may_ask_for_something() -> None:
    body = b'{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":5}}'
    reply = msgspec.json.decode(body, type=ApiReply)
    assert (reply.error_code, reply.parameters.retry_after) == (429, 5)
    assert msgspec.json.decode(b'{"ok":true}', type=ApiReply).parameters.retry_after is None


def test_a_name_is_what_people_see() -> None:
    assert User(1, first_name="A", last_name="B").name == "A B"
    assert User(1, username="ab").name == "ab"
