"""The bench of HTTP requests: its verdict, and one short round of it."""

from __future__ import annotations

import asyncio
import math

import pytest

from bench import ingress
from bench.ingress import Round, Sender


def rounds(calm: list[float], hanging: list[float]) -> list[Round]:
    found = [(False, each) for each in calm] + [(True, each) for each in hanging]
    return [Round(which, 100.0, 1.0, p99, 0.1, 0, 0, {"200": 5}) for which, p99 in found]


@pytest.mark.parametrize(
    ("calm", "hanging", "verdict"),
    [
        ([2.0, 3.0, 90.0], [8.0, 8.0, 8.0], "held"),  # calm + 5 ms
        ([3.0], [8.1], "not held"),
        ([20.0], [30.0], "held"),  # 1.5 times calm
        ([20.0], [30.1], "not held"),
        ([20.0], [math.nan], "not held"),  # no answer at all
        ([math.nan], [1.0], "not held"),
        ([2.0, math.nan, 3.0], [8.0, math.nan], "not held"),
    ],
)
def test_the_medians_decide(calm: list[float], hanging: list[float], verdict: str) -> None:
    assert f"is {verdict}." in ingress.report(rounds(calm, hanging))


async def test_what_a_kept_connection_loses_is_sent_again_and_what_a_new_one_loses_is_counted() -> (
    None
):
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        for _ in range(served % 3):  # one request, two, none
            await reader.readuntil(ingress.BODY)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(ingress.BODY)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        sender = Sender(server.sockets[0].getsockname()[1], "a")
        for _ in range(4):
            await sender.run(sender.requests(1), 0.0, 0.0)
        assert (sender.statuses, sender.again) == ({"200": 3, "0": 1}, 2)
        sender.close()


@pytest.mark.slow
@pytest.mark.e2e
async def test_a_short_round_answers_everything() -> None:
    found = await ingress.run(3, 30.0, 1.0, 1)
    assert [each.hanging for each in found] == [False, True]
    assert [set(each.statuses) for each in found] == [{"200"}, {"200"}]
