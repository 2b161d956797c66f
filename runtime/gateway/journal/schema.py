"""Holds the tables of the journal's file, its version, and how older files become newer. Pure.

What is written in one commit is inserted into the view ``step``, whose triggers put each row
where it belongs: so one statement, which is a transaction by itself, does all of it. Python's
sqlite3 gives up the interpreter's lock for each statement and has to wait for it afterwards;
with some statements for each message a busy event loop would slow the writer to a crawl.

* ``account``: the place of each account, as JSON text, and its plugin's cursor.
* ``pack``: frames in a row, numbered ``first`` to ``last``; ``body`` is MessagePack of their
  flags and payloads.
* ``ids``, ``seen``: which messages an account has had. ``ids`` holds them in the order of their
  arrival, so that the oldest can be forgotten without looking at all others. Ids are not hashed:
  platforms count up, and what grows at its end costs a tenth of what grows everywhere. An id
  that is there fails the whole statement: repeated messages are rare, so they are looked for
  only then, and to look for them each time would take a third of all the time.
* ``person``: people who have asked to be admitted, as JSON text.
* ``outgoing``: messages that are to be sent, and for as long as their keys are known those that
  were: ``row`` is JSON, and each record about one is a merge patch of it (RFC 7396).
* ``run``: questions to agents, in the same way; ``request`` and ``answer`` stand beside the JSON,
  so that a step of a run does not rewrite them.
* ``session``: conversations, as JSON text, with what they are looked up by beside it.
* ``entry``: what the transcripts of sessions hold. ``n`` is given by the writer, and never again.
* ``item``: documents of other parts of the gateway, by kind and id.
* ``gone``: transcripts that were deleted, up to an entry: those are not read any more, and are
  removed a little at a time, because a long one would hold up every account.
"""

from __future__ import annotations

from enum import IntEnum

from runtime.gateway.journal.runs import ANSWER_BYTES

APPLICATION = 0x54524E4B  # "TRNK": what file(1) and we know the file by
VERSION = 5

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "temp_store=MEMORY",
    "cache_size=-16384",
    "mmap_size=0",
    "journal_size_limit=67108864",
    "secure_delete=1",  # what is redacted is overwritten; some builds do so by default
    "wal_autocheckpoint=0",  # the writer has it done, beside its commits: see ``checkpoints``
)

_TABLES = """
CREATE TABLE account(
  n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, place TEXT NOT NULL, cursor BLOB NOT NULL
) STRICT;
CREATE TABLE pack(
  pos INTEGER PRIMARY KEY, account INTEGER NOT NULL, incarnation INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX pack_of_account ON pack(account, incarnation, last);
CREATE TABLE ids(
  pos INTEGER PRIMARY KEY, account INTEGER NOT NULL, at INTEGER NOT NULL,
  count INTEGER NOT NULL, ids TEXT NOT NULL
) STRICT;
CREATE INDEX ids_of_account ON ids(account, pos);
CREATE TABLE seen(
  account INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(account, id)
) STRICT, WITHOUT ROWID;
"""
_OUTGOING = """
CREATE TABLE outgoing(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
  state TEXT NOT NULL, letter INTEGER NOT NULL, row TEXT NOT NULL, message BLOB NOT NULL,
  texts BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX outgoing_key ON outgoing(account, key);
CREATE INDEX outgoing_open ON outgoing(account, n) WHERE state IN ('queued', 'attempting');
CREATE INDEX outgoing_letter ON outgoing(at) WHERE letter = 1;
CREATE INDEX outgoing_old ON outgoing(at) WHERE letter = 0;
"""
_PERSON = """
CREATE TABLE person(
  account INTEGER NOT NULL, sender TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY(account, sender)
) STRICT, WITHOUT ROWID;
"""
_PERSON_STEPS = """
CREATE TRIGGER step_person INSTEAD OF INSERT ON step WHEN new.kind = 6 BEGIN
  INSERT OR REPLACE INTO person
    SELECT new.account, new.text->>'sender', new.text WHERE new.text->>'state' IS NOT 'forgotten';
  DELETE FROM person WHERE new.text->>'state' = 'forgotten'
    AND account = new.account AND sender = new.text->>'sender';
END;
"""
_CONVERSATIONS = """
CREATE TABLE run(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
  open INTEGER NOT NULL, row TEXT NOT NULL, request BLOB NOT NULL, answer BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX run_id ON run(id, account);
CREATE INDEX run_open ON run(account, n) WHERE open = 1;
CREATE INDEX run_old ON run(at) WHERE open = 0;
CREATE TABLE session(
  n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, updated INTEGER NOT NULL,
  row TEXT NOT NULL
) STRICT;
CREATE INDEX session_updated ON session(updated);
CREATE TABLE entry(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, session TEXT NOT NULL, at INTEGER NOT NULL,
  chat TEXT NOT NULL, sender TEXT NOT NULL, row TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX entry_of_session ON entry(session, n);
CREATE TABLE gone(session TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_ITEM = """
CREATE TABLE item(
  kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(kind, id)
) STRICT, WITHOUT ROWID;
"""
_ITEM_STEPS = """
CREATE TRIGGER step_item INSTEAD OF INSERT ON step WHEN new.kind = 12 BEGIN
  INSERT OR REPLACE INTO item VALUES(new.text->>0, new.text->>1, new.body);
END;
CREATE TRIGGER step_item_gone INSTEAD OF INSERT ON step WHEN new.kind = 13 BEGIN
  DELETE FROM item WHERE kind = new.text->>0 AND id = new.text->>1;
END;
"""
_STEP = """
CREATE VIEW step AS SELECT
  0 AS kind, 0 AS account, 0 AS at, 0 AS incarnation, 0 AS first, 0 AS last, '' AS text, x'' AS body
  WHERE 0;
CREATE TRIGGER step_pack INSTEAD OF INSERT ON step WHEN new.kind = 1 BEGIN
  INSERT INTO pack(account, incarnation, first, last, at, body)
    VALUES(new.account, new.incarnation, new.first, new.last, new.at, new.body);
END;
CREATE TRIGGER step_ids INSTEAD OF INSERT ON step WHEN new.kind = 2 BEGIN
  INSERT INTO ids(account, at, count, ids)
    VALUES(new.account, new.at, json_array_length(new.text), new.text);
  INSERT INTO seen SELECT new.account, value FROM json_each(new.text);
END;
CREATE TRIGGER step_place INSTEAD OF INSERT ON step WHEN new.kind = 3 BEGIN
  INSERT OR REPLACE INTO account VALUES(new.account, new.text->>'key', new.text, new.body);
END;
"""
_OUTGOING_STEPS = """
CREATE TRIGGER step_outgoing INSTEAD OF INSERT ON step WHEN new.kind = 4 BEGIN
  INSERT INTO outgoing(account, key, at, state, letter, row, message, texts)
    VALUES(new.account, new.text->>'key', new.at, ifnull(new.text->>'state', 'queued'), 0,
      new.text, new.body, x'');
END;
CREATE TRIGGER step_change INSTEAD OF INSERT ON step WHEN new.kind = 5 BEGIN
  UPDATE outgoing SET
    at = ifnull(new.text->>'at', at), state = ifnull(new.text->>'state', state),
    letter = ifnull(new.text->>'letter', letter), row = json_patch(row, new.text),
    message = iif(new.first, x'', message),
    texts = iif(new.first, x'', iif(length(new.body), new.body, texts))
    WHERE account = new.account AND key = new.text->>'key';
END;
"""
# The numbers of a changed run say what becomes of its request (``incarnation``) and of its answer
# (``first``): see ``Change``; ``last`` is 1 at its end.
_CONVERSATION_STEPS = f"""
CREATE TRIGGER step_run INSTEAD OF INSERT ON step WHEN new.kind = 7 BEGIN
  INSERT INTO run(account, id, at, open, row, request, answer)
    VALUES(new.account, new.text->>'id', new.at, new.first, new.text,
      iif(new.first, new.body, x''), iif(new.first, x'', new.body));
END;
CREATE TRIGGER step_run_change INSTEAD OF INSERT ON step WHEN new.kind = 8 BEGIN
  UPDATE run SET
    at = iif(new.last, new.at, at), open = 1 - new.last, row = json_patch(row, new.text),
    request = CASE new.incarnation WHEN 1 THEN new.body WHEN 2 THEN x'' ELSE request END,
    answer = CASE new.first WHEN 1 THEN new.body WHEN 2 THEN x''
      WHEN 3 THEN iif(length(answer) > {ANSWER_BYTES} - 4, answer,
        substr(CAST(answer || new.body AS BLOB), 1, {ANSWER_BYTES})) ELSE answer END
    WHERE id = new.text->>'id' AND account = new.account AND open = 1;
END;
CREATE TRIGGER step_entry INSTEAD OF INSERT ON step WHEN new.kind = 9 BEGIN
  INSERT INTO entry VALUES(new.first, new.account, new.text->>0, new.at, new.text->>1,
    new.text->>2, new.text->>3, CAST(new.body AS TEXT));
END;
CREATE TRIGGER step_session INSTEAD OF INSERT ON step WHEN new.kind = 10 BEGIN
  INSERT INTO session(key, agent, updated, row)
    VALUES(new.text->>'key', new.text->>'agent', new.at, new.text)
    ON CONFLICT(key) DO UPDATE
    SET agent = excluded.agent, updated = excluded.updated, row = excluded.row;
END;
CREATE TRIGGER step_session_gone INSTEAD OF INSERT ON step WHEN new.kind = 11 BEGIN
  INSERT OR REPLACE INTO gone VALUES(new.text, new.first);
  DELETE FROM session WHERE key = new.text;
END;
"""  # noqa: S608 - our own texts
_TABLES += _OUTGOING + _PERSON + _CONVERSATIONS + _ITEM
TABLES = _TABLES + _STEP + _OUTGOING_STEPS + _PERSON_STEPS + _CONVERSATION_STEPS + _ITEM_STEPS

PACK, IDS, PLACE, QUEUED, CHANGED, PERSON = 1, 2, 3, 4, 5, 6  # the kinds of a step
RUN, RUN_CHANGED, ENTRY, SESSION, SESSION_GONE, ITEM, ITEM_GONE = 7, 8, 9, 10, 11, 12, 13


class Change(IntEnum):
    """The change of a text that is stored beside the JSON of a run."""

    KEEP = 0
    SET = 1
    CLEAR = 2
    APPEND = 3


# What was an answer in version 1 was sent again by the next gateway, and is now a row of an hour;
# its worker has ended with that version. A repair makes the table anew, to read what is in it.
ANSWER = """
CREATE TABLE answer(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
  message BLOB NOT NULL
) STRICT;
"""
ANSWERS_TO_OUTGOING = """
INSERT INTO outgoing(n, account, key, at, state, letter, row, message, texts)
  SELECT n, account, key, at, 'queued', 0,
  json_object('key', key, 'id', lower(hex(randomblob(6))), 'origin', 'agent', 'at', at,
    'chat', CAST(message AS TEXT)->>'to', 'expires', at + 3600000),
  message, x'' FROM answer ORDER BY n;
DROP TABLE answer;
"""

# What makes a file of one version into one of the next. A file of each version is in the tests.
MIGRATIONS: dict[int, str] = {
    1: f"""
DROP TRIGGER step_answer;
DROP TRIGGER step_settled;
{_OUTGOING}
{_OUTGOING_STEPS}
{ANSWERS_TO_OUTGOING}
""",
    2: _PERSON + _PERSON_STEPS,
    3: _CONVERSATIONS + _CONVERSATION_STEPS,
    4: _ITEM + _ITEM_STEPS,
}

STORE = """
INSERT INTO step
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3, e.value->>4, e.value->>5, e.value->>6,
       ifnull(substr(?, e.value->>7, e.value->>8), x'')
FROM json_each(?) AS e
"""
REPEATED = """
SELECT a.value->>0, i.value FROM json_each(?) AS a, json_each(a.value, '$[1]') AS i
WHERE EXISTS (SELECT 1 FROM seen WHERE account = a.value->>0 AND id = i.value)
"""
PACKS_AFTER = """
SELECT incarnation, at, first, body FROM pack
WHERE account = (SELECT n FROM account WHERE key = ?) AND (incarnation, last) > (?, ?)
ORDER BY incarnation, last LIMIT ?
"""
# Each frame's pack is the first one that does not end before it.
PACKS_OF = """
SELECT pos, account, incarnation, first, body FROM pack WHERE pos IN (
  SELECT (SELECT pos FROM pack WHERE account = e.value->>0 AND incarnation = e.value->>1
    AND last >= e.value->>2 ORDER BY last LIMIT 1) FROM json_each(?) AS e)
"""
REWRITE = """
UPDATE pack SET body = substr(?, e.value->>1, e.value->>2)
FROM json_each(?) AS e WHERE pack.pos = e.value->>0
"""
# CROSS JOIN keeps the order: each key is looked up, instead of going through an account's sends.
KNOWN = """
SELECT a.value->>0, o.row FROM json_each(?) AS a CROSS JOIN json_each(a.value, '$[1]') AS i
CROSS JOIN outgoing AS o ON o.account = a.value->>0 AND o.key = i.value
"""
OUTGOING_OF = """
SELECT row, length(message) + length(texts) FROM outgoing
WHERE account = (SELECT n FROM account WHERE key = ?) AND state IN ('queued', 'attempting')
ORDER BY n
"""
OUTGOING = """
SELECT row, message, texts FROM outgoing
WHERE account = (SELECT n FROM account WHERE key = ?) AND key = ?
"""
# CROSS JOIN as above.
BEGINNINGS = """
SELECT a.key, o.key, substr(ifnull(CAST(o.message AS TEXT)->>'text', ''), 1, ?)
FROM json_each(?) AS i CROSS JOIN account AS a ON a.key = i.value->>0
CROSS JOIN outgoing AS o ON o.account = a.n AND o.key = i.value->>1
WHERE length(o.message)
"""
PEOPLE_OF = """
SELECT person FROM person WHERE account = (SELECT n FROM account WHERE key = ?) ORDER BY sender
"""
LETTERS = """
SELECT a.key, o.row FROM outgoing AS o JOIN account AS a ON a.n = o.account
WHERE o.letter = 1 ORDER BY o.at, o.n LIMIT ?
"""
LETTER = """
SELECT a.key, o.row, o.message, o.texts FROM outgoing AS o JOIN account AS a ON a.n = o.account
WHERE o.letter = 1 AND o.row->>'id' = ?
"""
# CROSS JOIN as above.
KNOWN_RUNS = """
SELECT a.value->>0, r.row, r.request, r.answer FROM json_each(?) AS a
CROSS JOIN json_each(a.value, '$[1]') AS i
CROSS JOIN run AS r ON r.id = i.value AND r.account = a.value->>0
"""
OPEN_RUNS = """
SELECT row, request, answer FROM run
WHERE account = (SELECT n FROM account WHERE key = ?) AND open = 1 ORDER BY n
"""
RUN_BY_ID = "SELECT row, request, answer FROM run WHERE id = ? ORDER BY n DESC LIMIT 1"
ITEMS = "SELECT id, value FROM item WHERE kind = ? ORDER BY id"
SESSION_BY_KEY = "SELECT row FROM session WHERE key = ?"
# ``is_of_chat`` is our own function (``conversations.py``), which ``reader.py`` gives to SQLite.
_SESSIONS = """
FROM session WHERE updated >= :since AND (:agent IS NULL OR agent = :agent)
  AND (:id IS NULL OR ifnull(row->>'id', '') = :id)
  AND (:label IS NULL OR ifnull(row->>'label', '') = :label)
  AND (:text = '' OR instr(lower(key), :text) OR instr(lower(ifnull(row->>'label', '')), :text))
  AND (:archived IS NULL OR ifnull(row->>'archived', 0) = :archived)
  AND (:account IS NULL OR ifnull(row->>'account', '') = :account)
  AND (:to IS NULL OR (ifnull(row->>'to', '') = :to AND is_of_chat(key)))
"""
COUNT_SESSIONS = f"SELECT count(*) {_SESSIONS}"
SESSIONS = f"SELECT row {_SESSIONS} ORDER BY updated DESC, key LIMIT :limit OFFSET :offset"
PRESENT = "n > ifnull((SELECT upto FROM gone WHERE gone.session = entry.session), 0)"
ENTRIES_AFTER = f"""
SELECT n, row, text FROM entry WHERE session = ? AND n > ? AND {PRESENT} ORDER BY n LIMIT ?
"""  # noqa: S608 - our own texts
ENTRIES_BEFORE = f"""
SELECT n, row, text FROM entry WHERE session = ? AND n < ? AND {PRESENT} ORDER BY n DESC LIMIT ?
"""  # noqa: S608 - our own texts
# A clock that was set forward makes nothing old that is still to be sent.
OLD_SENDS = """
SELECT n FROM outgoing WHERE letter = 0 AND at < ? AND state NOT IN ('queued', 'attempting')
ORDER BY at LIMIT ?
"""
OLD_LETTERS = "SELECT n FROM outgoing WHERE letter = 1 AND at < ? ORDER BY at LIMIT ?"
NEWEST_ENTRY = """
SELECT max(ifnull((SELECT max(n) FROM entry), 0), ifnull((SELECT max(upto) FROM gone), 0))
"""
OLD_RUNS = "SELECT n FROM run WHERE open = 0 AND at < ? ORDER BY at LIMIT ?"
OLDEST_ENTRIES = "SELECT n, at FROM entry ORDER BY n LIMIT ?"
OLDEST_PACK = "SELECT at FROM pack ORDER BY pos LIMIT 1"
# What a person has named, set or pinned stays, also without a transcript.
OLD_SESSIONS = """
SELECT n FROM session WHERE updated < ? AND row->'label' IS NULL AND row->'settings' IS NULL
  AND row->'pinned' IS NULL AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.session = session.key)
ORDER BY updated LIMIT ?
"""
GONE_ENTRIES = """
SELECT e.n FROM gone AS g CROSS JOIN entry AS e ON e.session = g.session AND e.n <= g.upto LIMIT ?
"""
# Each id is looked up by the whole key: with several accounts in one list SQLite would go through
# all ids of each, 0.1 s for 100,000, while every account waits for its messages to be stored.
FORGET_SEEN = "DELETE FROM seen WHERE account = ? AND id IN (SELECT value FROM json_each(?))"
FORGET_IDS = "DELETE FROM ids WHERE pos IN (SELECT value FROM json_each(?))"
FORGET_PACKS = "DELETE FROM pack WHERE pos IN (SELECT value FROM json_each(?))"
FORGET_OUTGOING = "DELETE FROM outgoing WHERE n IN (SELECT value FROM json_each(?))"
FORGET_RUNS = "DELETE FROM run WHERE n IN (SELECT value FROM json_each(?))"
FORGET_SESSIONS = "DELETE FROM session WHERE n IN (SELECT value FROM json_each(?))"
FORGET_ENTRIES = "DELETE FROM entry WHERE n IN (SELECT value FROM json_each(?))"


def describe_newer(path: object, version: int) -> str:
    """Return in words that a newer Trunkline has written a journal, and what to do."""
    return (
        f"{path} has version {version}, and this Trunkline knows {VERSION}: "
        "start the newer Trunkline again, or move the file away and lose what is in it"
    )
