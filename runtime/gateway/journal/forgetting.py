"""Erases a person's data from the journal's file. Blocks; runs on the writer's thread.

What SQLite deletes stays in unused parts of the file and in its log until that is overwritten. So
the file is rebuilt afterwards and its log emptied (https://sqlite.org/lang_vacuum.html).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from ipc.nesting import decode_json
from runtime.gateway.conversations.session_keys import kind_of
from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.erasing import (
    Forgotten,
    RemoveFiles,
    direct_chat,
    erased,
    erased_run,
    files_of,
    keep_files,
    unrouted,
    unsummarised,
)
from runtime.gateway.journal.records import read_body
from runtime.gateway.journal.runs import Run
from runtime.gateway.journal.search_file import remove_index

_text = msgspec.json.Encoder().encode
_body = msgspec.msgpack.Encoder().encode
_read_run = msgspec.json.Decoder(Run).decode
_read_session = msgspec.json.Decoder(Session).decode

PACKS = "SELECT pos, body FROM pack WHERE account = ? AND instr(body, ?) ORDER BY pos"
SENDS = (
    "SELECT n, message FROM outgoing WHERE account = ? AND row->>'chat' IN"
    " (SELECT value FROM json_each(?)) AND state NOT IN ('queued', 'attempting')"
)
ERASE_SEND = (
    "UPDATE outgoing SET message = x'', texts = x'', letter = 0,"
    """ row = json_patch(row, '{"chat":"forgotten","error":"","sent":[],"letter":false}')"""
    " WHERE n = ?"
)
# One-time work, for which no index is worth its upkeep.
RUNS = """
SELECT n, row FROM run WHERE account = ? AND open = 0
  AND (row->'origin'->>'sender' = ? OR row->'origin'->>'chat' IN (SELECT value FROM json_each(?)))
"""
RUNS_IN = "SELECT n, row FROM run WHERE open = 0 AND row->>'session' = ?"
ERASE_RUN = "UPDATE run SET row = ?, request = x'', answer = x'' WHERE n = ?"
ENTRIES = """
SELECT n, row FROM entry WHERE account = ?
  AND (sender = ? OR chat IN (SELECT value FROM json_each(?)))
"""
ENTRIES_IN = "SELECT n, row FROM entry WHERE session = ? AND chat = ''"
SESSIONS = """
SELECT row FROM session WHERE row->>'account' = ?
  AND row->>'to' IN (SELECT value FROM json_each(?))
"""
SUMMARISED = """
SELECT row FROM session WHERE row->>'summary' <> '' AND key IN (SELECT session FROM entry
  WHERE account = ? AND (sender = ? OR chat IN (SELECT value FROM json_each(?))))
"""
CHANGE_SESSION = "UPDATE session SET row = ? WHERE key = ?"
HAS_ENTRIES = "SELECT 1 FROM entry WHERE session = ? LIMIT 1"


def chats_of(database: Any, sender: str, keys: Collection[str]) -> dict[str, set[str]]:
    """Return the direct chats with a person in each account, as far as frames show them."""
    found: dict[str, set[str]] = {}
    for key in keys:
        place = database.places.get(key)
        if place is not None:
            chats = found[key] = {sender}
            for _, _, payloads in _packs(database, place.number, [sender]):
                chats |= {chat for each in payloads if (chat := direct_chat(each, sender))}
    return found


def erase(
    database: Any,
    sender: str,
    chats: Mapping[str, Collection[str]],
    remove: RemoveFiles = keep_files,
) -> Forgotten:
    """Erase a person from the accounts in ``chats``, which has the direct chats of each.

    Sends that are not over stay. ``remove(files)`` is called before the transaction ends: after a
    kill between the two the files are found again. ``sqlite3.Error`` and what ``remove`` raises as
    it comes; then nothing was erased from the journal.
    """
    done, connection = Forgotten(), database.connection
    connection.execute("BEGIN IMMEDIATE")
    try:
        for key, known in chats.items():
            _erase(database, key, sender, known, done)
        remove(done.files)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    remove_index(database.path)
    done.cleaned = _clean(database)
    return done


def _erase(database: Any, key: str, sender: str, chats: Collection[str], done: Forgotten) -> None:
    place = database.places.get(key)
    if place is None:
        return
    files = done.files.setdefault(key, [])
    for pos, flags, payloads in list(_packs(database, place.number, {sender, *chats})):
        changed = False
        for index, payload in enumerate(payloads):
            left = erased(payload, flags[index], sender, chats)
            if left is not None:
                payloads[index], flags[index] = left[:2]
                files += left[2]
                changed = True
                done.messages += 1
        if changed:
            body = _body((bytes(flags), payloads))
            database.connection.execute("UPDATE pack SET body = ? WHERE pos = ?", (body, pos))
    query = (place.number, _text([*chats]).decode())
    for number, message in database.connection.execute(SENDS, query).fetchall():
        files += files_of(decode_json(message)) if message else ()
        database.connection.execute(ERASE_SEND, (number,))
        done.sends += 1
    _erase_runs(database, RUNS, (place.number, sender, query[1]), done)
    hers = (place.number, sender, query[1])
    for (row,) in database.connection.execute(SUMMARISED, hers).fetchall():
        _store_session(database, unsummarised(_read_session(row)))
    files += _erase_entries(database, ENTRIES, hers, done)
    for (row,) in database.connection.execute(SESSIONS, (key, query[1])).fetchall():
        files += _erase_session(database, _read_session(row), done)


def _erase_runs(database: Any, query: str, values: tuple[Any, ...], done: Forgotten) -> None:
    for number, row in database.connection.execute(query, values).fetchall():
        left = _text(erased_run(_read_run(row))).decode()
        database.connection.execute(ERASE_RUN, (left, number))
        done.runs += 1


def _erase_entries(
    database: Any, query: str, values: tuple[Any, ...], done: Forgotten
) -> Iterator[str]:
    """Erase entries of transcripts; yield the ids of their files."""
    for number, row in database.connection.execute(query, values).fetchall():
        yield from files_of(decode_json(row))
        database.connection.execute("DELETE FROM entry WHERE n = ?", (number,))
        done.entries += 1


def _erase_session(database: Any, session: Session, done: Forgotten) -> list[str]:
    """Erase where a session was last spoken, or all of it where it is the person's alone.

    One that accounts share may have a part in another one's chats: that stays.
    """
    files: list[str] = []
    direct = kind_of(session.key) == "direct"
    if direct:
        _erase_runs(database, RUNS_IN, (session.key,), done)
        files += _erase_entries(database, ENTRIES_IN, (session.key,), done)
    shared = database.connection.execute(HAS_ENTRIES, (session.key,)).fetchone()
    if direct and shared is None:
        database.connection.execute("DELETE FROM session WHERE key = ?", (session.key,))
        done.sessions += 1
    else:
        _store_session(database, unrouted(session))
    return files


def _store_session(database: Any, session: Session) -> None:
    database.connection.execute(CHANGE_SESSION, (_text(session).decode(), session.key))


def _packs(
    database: Any, account: int, words: Collection[str]
) -> Iterator[tuple[int, bytearray, list[bytes]]]:
    """Yield position, flags and payloads of the packs in which one of some strings occurs."""
    seen: set[int] = set()
    for word in words:
        needle = _text(word)
        for pos, body in database.connection.execute(PACKS, (account, needle)).fetchall():
            if pos not in seen:
                seen.add(pos)
                flags, payloads = read_body(body)
                yield pos, bytearray(flags), payloads


def _clean(database: Any) -> bool:
    """Rebuild the file and empty its log; return whether there was room for that."""
    connection = database.connection
    try:
        connection.execute("PRAGMA temp_store=FILE")  # a journal may be larger than memory
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    except connection.OperationalError:
        return False
    finally:
        connection.execute("PRAGMA temp_store=MEMORY")
