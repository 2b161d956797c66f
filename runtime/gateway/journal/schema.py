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
* ``answer``: answers that are not settled.
"""

from __future__ import annotations

APPLICATION = 0x54524E4B  # "TRNK": what file(1) and we know the file by
VERSION = 1

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "temp_store=MEMORY",
    "cache_size=-16384",
    "mmap_size=0",
    "journal_size_limit=67108864",
    "wal_autocheckpoint=1000",
)

TABLES = """
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
CREATE TABLE answer(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
  message BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX answer_key ON answer(account, key);
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
CREATE TRIGGER step_answer INSTEAD OF INSERT ON step WHEN new.kind = 4 BEGIN
  INSERT OR IGNORE INTO answer(account, key, at, message)
    VALUES(new.account, new.text, new.at, new.body);
END;
CREATE TRIGGER step_settled INSTEAD OF INSERT ON step WHEN new.kind = 5 BEGIN
  DELETE FROM answer WHERE account = new.account AND key = new.text;
END;
"""

PACK, IDS, PLACE, ANSWER, SETTLED = 1, 2, 3, 4, 5  # the kinds of a step

# What makes a file of one version into one of the next. A file of each version is in the tests.
MIGRATIONS: dict[int, str] = {}

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
ANSWERS_OF = """
SELECT answer.at, answer.key, answer.message FROM answer JOIN account ON account.n = answer.account
WHERE account.key = ? ORDER BY answer.n
"""
FORGET_SEEN = """
DELETE FROM seen WHERE (account, id) IN (
  SELECT a.value->>0, i.value FROM json_each(?) AS a, json_each(a.value, '$[1]') AS i
)
"""
FORGET_IDS = "DELETE FROM ids WHERE pos IN (SELECT value FROM json_each(?))"
FORGET_PACKS = "DELETE FROM pack WHERE pos IN (SELECT value FROM json_each(?))"
