"""Signatures of Standard Webhooks, checked against its own library in both directions."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import WebhookVerificationError

from tests.workers.channels.webhook.peer import KEY, OTHER, OTHER_KEY, SECRET, signed, verified
from workers.web.signing import Unsigned, key_of, sign, verify, webhook_id

NOW = 1_700_000_000.0
BODY = '{"text":"süß"}'.encode()


def headers(given: dict[str, str]) -> tuple[str | None, str | None, str | None]:
    return (
        given.get("webhook-id"),
        given.get("webhook-timestamp"),
        given.get("webhook-signature"),
    )


def test_what_the_library_signs_is_taken() -> None:
    assert verify([KEY], headers(signed(BODY, at=NOW)), BODY, NOW, 300) == ("msg_1", int(NOW))


@given(st.text(max_size=50))
def test_what_we_sign_the_library_takes(text: str) -> None:
    now, body = int(time.time()), json.dumps(text).encode()
    ours = {
        "webhook-id": "msg_2",
        "webhook-timestamp": str(now),
        "webhook-signature": sign([KEY], "msg_2", now, body),
    }
    verified(body, ours)
    with pytest.raises(WebhookVerificationError):
        verified(body + b" ", ours)


def test_while_a_secret_is_replaced_both_count_in_both_directions() -> None:
    for secret in (SECRET, OTHER):
        verify([OTHER_KEY, KEY], headers(signed(BODY, secret=secret, at=NOW)), BODY, NOW, 300)
    both = sign([OTHER_KEY, KEY], "m", 1, BODY).split(" ")
    assert both == [sign([OTHER_KEY], "m", 1, BODY), sign([KEY], "m", 1, BODY)]
    several = signed(BODY, at=NOW)
    several["webhook-signature"] = f"v1a,xyz v1,{'A' * 43}= " + several["webhook-signature"]
    verify([KEY], headers(several), BODY, NOW, 300)


RIGHT = signed(BODY, at=NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": None}, "must each be present exactly once"),
        ({"webhook-timestamp": None}, "must each be present exactly once"),
        ({"webhook-signature": None}, "must each be present exactly once"),
        ({"webhook-id": ""}, "printable"),
        ({"webhook-id": "a b"}, "printable"),
        ({"webhook-id": "x" * 257}, "256"),
        ({"webhook-timestamp": "soon"}, "number of seconds"),
        ({"webhook-timestamp": "-1"}, "number of seconds"),
        ({"webhook-timestamp": "1" * 400}, "number of seconds"),
        ({"webhook-timestamp": str(int(NOW) - 301)}, "more than 300 s"),
        ({"webhook-timestamp": str(int(NOW) + 301)}, "more than 300 s"),
        ({"webhook-timestamp": str(int(NOW) + 1)}, "not that of this message"),
        ({"webhook-id": "msg_2"}, "not that of this message"),
        ({"webhook-signature": "v1,"}, "not that of this message"),
        ({"webhook-signature": "v1,süß"}, "not that of this message"),
        ({"webhook-signature": RIGHT["webhook-signature"].replace("v1", "v2")}, "not that of"),
        ({"webhook-signature": RIGHT["webhook-signature"][3:]}, "not that of this message"),
        ({"webhook-signature": "v1,x " * 16 + RIGHT["webhook-signature"]}, "not that of"),
    ],
)
def test_what_is_not_proved_is_refused(change: dict[str, str | None], why: str) -> None:
    given = {name: value for name, value in (RIGHT | change).items() if value is not None}
    with pytest.raises(Unsigned, match=why):
        verify([KEY], headers(given), BODY, NOW, 300)


def test_another_body_or_secret_is_refused() -> None:
    for keys, body in (([KEY], BODY + b"\n"), ([OTHER_KEY], BODY), ([], BODY)):
        with pytest.raises(Unsigned):
            verify(keys, headers(RIGHT), body, NOW, 300)


def test_a_secret_is_base64_behind_its_prefix() -> None:
    assert key_of(SECRET) == KEY
    assert key_of(SECRET.rstrip("=")) == KEY


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_" + base64.b64encode(b"too short").decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "!" * 40,
        "whsec_ü" + "A" * 40,
        "whsk_" + "A" * 40,
    ],
)
def test_what_is_no_secret_is_named_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and base64 of 24 to 64") as caught:
        key_of(secret)
    assert secret[6:] == "" or secret[6:] not in str(caught.value)


@pytest.mark.parametrize("key", ["k1", "agent:x/2", "a" * 256, "A-Z_~=+@"])
def test_a_plain_key_is_the_webhooks_id(key: str) -> None:
    assert webhook_id(key) == key


@pytest.mark.parametrize("key", ["a.b", "a b", "a\r\nX: 1", "süß", "a" * 257, "\ud800"])
def test_another_key_stands_there_in_a_lasting_form(key: str) -> None:
    made = webhook_id(key)
    assert made == webhook_id(key)
    assert made.startswith("key_")
    assert made.isascii()
    assert len(made) == 68
    assert made != webhook_id(key + "x")
