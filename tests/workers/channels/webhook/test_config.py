"""The fields of an account: what is wrong is named, and no secret is shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.workers.channels.webhook.peer import KEY, OTHER, OTHER_KEY, SECRET
from workers.channels.webhook import manifest
from workers.channels.webhook.config import WebhookConfig


def made(**fields: Any) -> WebhookConfig:
    return msgspec.convert({"secret": SECRET} | fields, WebhookConfig)


def test_a_secret_is_all_that_is_needed() -> None:
    assert made().keys == [KEY]
    assert made(previousSecret=OTHER).keys == [KEY, OTHER_KEY]
    assert manifest.unconfigured({}) == "secret not set"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"secret": "hunter2hunter2"}, "secret must be whsec_"),
        ({"previousSecret": "hunter2hunter2"}, "previousSecret must be whsec_"),
        ({"url": "example.com/hook"}, "url must begin with https://"),
        ({"url": "ftp://example.com/"}, "url must begin with https://"),
        ({"url": "https://ann:hunter2@example.com/"}, "url must not hold a user or a password"),
        ({"url": "https://example.com/#x"}, "without # and spaces"),
        ({"url": "https://example.com/a b"}, "without # and spaces"),
        ({"url": "https://example.com:0/"}, "url must begin"),
        ({"url": "http://[::1/"}, "url must be an address"),
        ({"url": "http://127.0.0.1/"}, "needs allowPrivate: true"),
        ({"url": "http://[fd00::1]/"}, "needs allowPrivate: true"),
        ({"url": "http://169.254.169.254/latest/"}, "needs allowPrivate: true"),
        ({"toleranceSeconds": 0}, ">= 1"),
        ({"timeoutSeconds": 0}, ">= 0.1"),
        ({"strange": 1}, "unknown field `strange`"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why) as caught:
        made(**fields)
    assert "hunter2" not in str(caught.value)


def test_an_address_of_this_host_may_be_allowed() -> None:
    assert made(url="http://127.0.0.1:8080/hook?a=1", allowPrivate=True).url is not None
