"""The fields of accounts and channels are the ones that channels cannot use for their own."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.account_model import AccountConfig, ChannelConfig
from workers.registry import COMMON_FIELDS


def test_no_channel_can_take_the_name_of_one_of_these_fields() -> None:
    assert {each.encode_name for each in msgspec.structs.fields(ChannelConfig)} == COMMON_FIELDS


def test_a_channel_has_every_field_of_its_accounts() -> None:
    ours = {each.encode_name for each in msgspec.structs.fields(AccountConfig)}
    assert COMMON_FIELDS - ours == {"accounts", "defaultAccount"}


@pytest.mark.parametrize("proxy", ["ftp://p:1", "http://user:word@p", "p:1", "http://p/path"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="proxy"):
        msgspec.convert({"proxy": proxy}, AccountConfig)
