"""The rules of fields that see more than one of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.config.supervisor_model import AccountLimitsConfig, RestartConfig, SupervisorConfig


@pytest.mark.parametrize(
    ("section", "fields", "words"),
    [
        (RestartConfig, {"initialSeconds": 400}, "maximumSeconds .300. must not be less"),
        (AccountLimitsConfig, {"memoryHardBytes": 17 << 20}, "must not be less than memorySoft"),
        (SupervisorConfig, {"beatSeconds": 20}, "beatSeconds .20. < suspectAfterSeconds .15."),
        (SupervisorConfig, {"suspectAfterSeconds": 31}, "<= silentAfterSeconds .30. must hold"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    section: Any, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, section)


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        (RestartConfig, {"initialSeconds": 300}),
        (AccountLimitsConfig, {"memorySoftBytes": None, "memoryHardBytes": 17 << 20}),
        (SupervisorConfig, {"suspectAfterSeconds": 30}),
    ],
)
def test_the_limit_itself_is_allowed(section: Any, fields: dict[str, Any]) -> None:
    assert isinstance(msgspec.convert(fields, section), section)
