"""The beginning of a request shows its id and its method, where they stand before the params."""

from __future__ import annotations

import pytest

from ipc.frames.request_heads import RequestBeginning, read_head


@pytest.mark.parametrize(
    ("beginning", "head"),
    [
        (b'{"type":"req","id":"1","method":"chat.send","params":{"a', ("1", "chat.send")),
        (b' {\n "id" : 7 ,\t"method" : "send" , "params"', (7, "send")),
        (b'{"method":"send","traceparent":"00-x","id":"1","params":"', ("1", "send")),
        ('{"id":"grün","method":"send","params":'.encode(), ("grün", "send")),
        (b'{"id":"1","params":{"method":"send","x":[', ("1", None)),
        (b'{"id":"1","x":{},"method":"send",', ("1", None)),
        (b'{"id":"1","method":"chat.se', ("1", None)),  # it goes on
        (b'{"id":"1","method":"chat.send"', ("1", None)),
        (b'{"id":"1","method":7,"params":[', ("1", None)),
        (b'{"id":"","method":"send","params":[', (None, "send")),
        (b'{"id":1.5,"method":"send","params":[', (None, None)),
        (b'{"id":"\\u0031","method":"send","params":[', (None, None)),
        (b'{"id":"\xff","method":"send","params":[', ("\ufffd", "send")),
        (b'{"id":"1","id":"2","method":"a","method":"b","params":[', ("2", "b")),
        (b'[{"id":"1","method":"send",', (None, None)),
        (b'"id":"1","method":"send",', (None, None)),
        (b"", (None, None)),
    ],
)
def test_what_stands_before_the_params(
    beginning: bytes, head: tuple[str | int | None, str | None]
) -> None:
    assert read_head(beginning) == RequestBeginning(*head)
