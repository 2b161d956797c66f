"""Packs of answers that are not too large, in order."""

from __future__ import annotations

from ipc.frames.data import (
    MAX_BODY_BYTES,
    MAX_PAYLOAD_BYTES,
    PACK_BYTES,
    PACK_FRAMES,
    Answer,
    HttpAnswer,
    SendProgress,
    encode,
)
from workers.links.answers import AnswerFrame, AnswerQueue, progress_of, size_of
from workers.messages import Sent


def answers(*sizes: int) -> AnswerQueue:
    queue = AnswerQueue()
    for number, size in enumerate(sizes):
        queue.append(Answer(number, True, b"x" * size))
    return queue


def test_a_pack_has_so_many_answers_and_so_many_bytes() -> None:
    many = answers(*[1] * (PACK_FRAMES + 5))
    assert (len(many.next_pack()), len(many)) == (PACK_FRAMES, 5)
    large = answers(PACK_BYTES, 1, PACK_BYTES * 2)
    assert [len(large.next_pack()) for _ in range(3)] == [1, 1, 1]
    assert not large


def test_a_pack_that_could_not_be_sent_comes_again_in_order() -> None:
    queue = answers(1, 1, 1)
    pack = queue.next_pack()
    queue.append(Answer(9, True, b""))
    queue.requeue(pack)
    assert [each.id for each in queue.next_pack() if isinstance(each, Answer)] == [0, 1, 2, 9]


def test_an_end_of_the_gateway_drops_everything() -> None:
    queue = answers(1, 1)
    queue.clear()
    assert len(queue) == 0


def test_an_answer_counts_with_its_headers() -> None:
    assert size_of(HttpAnswer(1, 200, [("ab", "cde")], b"1234")) == 9
    assert size_of(Answer(1, True, b"1234")) == 4


def test_a_pack_leaves_room_for_messages_up_to_half_of_its_bytes() -> None:
    def leave_room(*frames: AnswerFrame) -> bool:
        queue = AnswerQueue()
        for frame in frames:
            queue.append(frame)
        before = queue.leaves_room
        queue.requeue(queue.next_pack())  # all is counted as before
        assert queue.leaves_room is before
        return before

    quarter = PACK_BYTES // 4
    answer = Answer(1, True, bytes(quarter))
    assert leave_room(answer, HttpAnswer(2, 200, [], bytes(quarter)))
    assert not leave_room(answer, HttpAnswer(2, 200, [("a", "")], bytes(quarter)))
    assert leave_room(*[Answer(1, True, b"")] * PACK_FRAMES)
    assert not leave_room(*[Answer(1, True, b"")] * (PACK_FRAMES + 1))


def test_the_last_of_several_packs_leaves_room_again() -> None:
    queue = answers(PACK_BYTES, PACK_BYTES, 1)
    assert not queue.leaves_room
    queue.next_pack()
    assert not queue.leaves_room
    queue.next_pack()
    assert queue.leaves_room
    queue.clear()
    assert queue.leaves_room


def test_headers_count_so_that_every_pack_can_be_sent() -> None:
    heavy = [HttpAnswer(n, 200, [("x", "y" * 32_000)], b"") for n in range(PACK_FRAMES)]
    queue = AnswerQueue()
    for answer in heavy:
        queue.append(answer)
    packs = []
    while queue:
        packs.append(queue.next_pack())
    assert [each for pack in packs for each in pack] == heavy
    assert all(len(encode(pack)) <= MAX_BODY_BYTES for pack in packs)
    assert len(packs) == PACK_FRAMES // 2


def test_progress_names_the_parts_once() -> None:
    sent = [Sent("p1", "ada", 5)]
    made = progress_of("k", 2, ["one", "two"], sent)
    assert made == SendProgress("k", 2, b'["one","two"]', b'[{"id":"p1","chat":"ada","ts":5}]')
    assert size_of(made) == len(made.texts) + len(made.sent)
    later = progress_of("k", 2, [], sent)
    assert later is not None
    assert later.texts == b""
    assert progress_of("k", 2, ["x" * MAX_PAYLOAD_BYTES], []) is None
