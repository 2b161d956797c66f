"""What goes wrong with a call happens so often as it is to, in the same way on all platforms."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Response

from workers.testing.fakes.call_faults import FOR_EVER, CallFault, next_fault


class Refused(Exception):
    """The platform's refusal."""


@dataclass(slots=True)
class Fault(CallFault):
    """A fault of calls of one method."""

    method: str = ""
    code: int = 0

    def refusal(self) -> Refused | None:
        return Refused(self.code) if self.code else None


@pytest.mark.parametrize(("times", "met"), [(0, 0), (1, 1), (2, 2), (FOR_EVER, 3)])
def test_a_fault_concerns_as_many_calls_as_it_is_to(times: int, met: int) -> None:
    fault = Fault("send", times=times)
    found = [next_fault([fault], lambda each: each.method == "send") for _ in range(3)]
    assert found == [fault] * met + [None] * (3 - met)


def test_of_several_faults_the_first_that_concerns_a_call_is_taken() -> None:
    faults = [Fault("get"), Fault("send"), Fault("send")]
    assert next_fault(faults, lambda each: each.method == "send") is faults[1]
    assert [each.times for each in faults] == [1, 0, 1]


async def test_a_fault_that_is_none_lets_a_call_pass() -> None:
    assert await Fault().inject(make_mocked_request("GET", "/")) is None
    assert await Fault(drop="after").inject(make_mocked_request("GET", "/")) is None


async def test_the_page_of_a_proxy_is_an_answer() -> None:
    answer = await Fault(html=True).inject(make_mocked_request("GET", "/"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.text) == (502, "<html>502 Bad Gateway</html>")


async def test_what_refuses_all_calls_goes_before_the_refusal_of_one() -> None:
    request = make_mocked_request("GET", "/")
    with pytest.raises(Refused, match="7"):
        await Fault(code=7).inject(request)
    with pytest.raises(Refused, match="all"):
        await Fault(code=7).inject(request, lambda: Refused("all"))
