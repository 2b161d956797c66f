"""What a fake inherits where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from workers.testing.fake import ChannelUnderTest, Fake, FakePlace
from workers.testing.faults import Fault


class Silent(Fake):
    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        return {"account": place.account_id}

    async def close(self) -> None: ...

    async def say(self, text: str) -> None: ...

    def heard(self) -> Sequence[str]:
        return []


async def test_a_fake_without_faults_refuses_all_of_them_and_needs_no_more() -> None:
    fake = ChannelUnderTest("made.up:manifest", Silent).fake()
    assert await fake.start(FakePlace(Path(), "it", Path())) == {"account": "it"}
    await fake.meet()
    await fake.heal()
    assert (fake.faults, fake.turned_away) == (frozenset(), 0)
    with pytest.raises(NotImplementedError, match="Silent cannot do this wrong: outage"):
        await fake.fail(Fault("outage"))
