"""Payloads that a hostile worker of irc:libera may send as its message 7."""

from __future__ import annotations

from ipc.frames.data import HAPPENED, INBOUND

HEAD = b'{"account":"irc:libera","channel":"irc","accountId":"libera"'
IN = HEAD + b',"direction":"in","cursor":"1:7"'
MESSAGE = IN + b',"message":{"id":"a"}'
EVENT = HEAD + b',"cursor":"1:7"'

FORGED = {
    "another account": MESSAGE.replace(b"irc:libera", b"irc:oftc") + b"}",
    "another channel": MESSAGE.replace(b'"irc"', b'"local"') + b"}",
    "another account's id": MESSAGE.replace(b'"libera"', b'"oftc"') + b"}",
    "a second account": MESSAGE + b',"account":"irc:oftc"}',
    "a second account first": b'{"account":"irc:oftc",' + MESSAGE[1:] + b"}",
    "a second account, escaped": MESSAGE + b',"\\u0061ccount":"irc:oftc"}',
    "a second account, with blanks": MESSAGE + b' , "account" : "irc:oftc"}',
    "a second channel": MESSAGE + b',"channel":"local"}',
    "a second account's id": MESSAGE + b',"accountId":"oftc"}',
    "a second cursor": MESSAGE + b',"cursor":"1:8"}',
    "the next number": MESSAGE.replace(b"1:7", b"1:8") + b"}",
    "another incarnation": MESSAGE.replace(b"1:7", b"2:7") + b"}",
    "a number with a zero before it": MESSAGE.replace(b"1:7", b"1:07") + b"}",
    "a number as a cursor": MESSAGE.replace(b'"1:7"', b"7") + b"}",
    "no cursor": MESSAGE.replace(b',"cursor":"1:7"', b"") + b"}",
    "another direction": MESSAGE.replace(b'"in"', b'"up"') + b"}",
    "a second direction": MESSAGE + b',"direction":null}',
    "no message": IN + b"}",
    "a text as message": IN + b',"message":"hi"}',
    "an event's body in a message": IN + b',"happened":{}}',
    "an event as a message": EVENT + b',"happened":{}}',
    "both bodies": MESSAGE + b',"happened":{}}',
    "numbers that never come": MESSAGE + b',"skips":[[8,9999]]}',
    "redelivered, perhaps": MESSAGE + b',"redelivered":"no"}',
    "the end of the event, and another": MESSAGE + b'},"event":"channel.status","payload":{}}',
    "a frame of its own": MESSAGE + b'}}{"type":"event","payload":{}}',
    "a bracket too few": MESSAGE,
    "a bracket too many": MESSAGE + b"}}",
    "an open string": MESSAGE + b',"x":"}',
    "something behind it": MESSAGE + b"} x",
    "a blank behind it": MESSAGE + b"} ",  # the gateway adds to the end
    "a line feed in a string": MESSAGE + b',"x":"\n"}',
    "an unknown escape": MESSAGE + b',"x":"\\q"}',
    "half a surrogate": MESSAGE + b',"x":"\\ud800"}',
    "no number": MESSAGE + b',"x":NaN}',
    "broken UTF-8": MESSAGE + b',"x":"\xff"}',
    "nested too deep": MESSAGE + b',"x":%b%b}' % (b"[" * 600, b"]" * 600),
    "nested much too deep": MESSAGE + b',"x":%b%b}' % (b"[" * 90_000, b"]" * 90_000),
    "a list": b"[" + MESSAGE + b"}]",
    "nothing": b"",
    "null": b"null",
}
FORGED_EVENTS = {
    "another account": EVENT.replace(b"irc:libera", b"irc:oftc") + b',"happened":{}}',
    "a second account": EVENT + b',"happened":{},"account":"irc:oftc"}',
    "another cursor": EVENT.replace(b"1:7", b"1:8") + b',"happened":{}}',
    "a message as an event": MESSAGE + b"}",
    "an event with a direction": EVENT + b',"happened":{},"direction":"in"}',
    "no event": EVENT + b"}",
    "no JSON": EVENT + b',"happened":{]}',
}


def forged(first: int) -> tuple[bytes, list[bytes]]:
    """Return flags and payloads of all of them, as messages numbered from ``first`` on."""
    rows = [(INBOUND, body) for body in FORGED.values()]
    rows += [(HAPPENED, body) for body in FORGED_EVENTS.values()]
    numbered = [
        body.replace(b"1:8", b"1:%d" % (number + 1)).replace(b"1:7", b"1:%d" % number)
        for number, (_, body) in enumerate(rows, first)
    ]
    return bytes(flags for flags, _ in rows), numbered
