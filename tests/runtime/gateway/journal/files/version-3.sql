BEGIN TRANSACTION;
CREATE TABLE account(
  n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, place TEXT NOT NULL, cursor BLOB NOT NULL
) STRICT;
INSERT INTO "account" VALUES(1,'irc:libera','{"key":"irc:libera","number":1,"incarnation":1,"seq":3,"floor":[1,0],"settled":[1,2],"skips":[3,3],"identity":"bot-1","known":2}',X'7B226F6666736574223A377D');
CREATE TABLE ids(
  pos INTEGER PRIMARY KEY, account INTEGER NOT NULL, at INTEGER NOT NULL,
  count INTEGER NOT NULL, ids TEXT NOT NULL
) STRICT;
INSERT INTO "ids" VALUES(1,1,1,2,'["m1","m2"]');
CREATE TABLE outgoing(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
  state TEXT NOT NULL, letter INTEGER NOT NULL, row TEXT NOT NULL, message BLOB NOT NULL,
  texts BLOB NOT NULL
) STRICT;
INSERT INTO "outgoing" VALUES(1,1,'echo:1:1',4,'unknown',1,'{"key":"echo:1:1","id":"000000000001","chat":"person-1","origin":"agent","at":4,"expires":3600004,"state":"unknown","attempts":1,"incarnation":1,"firstAttempt":6,"reason":"","error":"the account has died","letter":true}',X'7B22746F223A22706572736F6E2D31222C2274657874223A226563686F3A20746578742031222C226B6579223A226563686F3A313A31227D',X'');
INSERT INTO "outgoing" VALUES(2,1,'echo:1:2',5,'queued',0,'{"key":"echo:1:2","id":"000000000002","chat":"person-1","origin":"agent","at":5,"expires":3600005}',X'7B22746F223A22706572736F6E2D31222C2274657874223A226563686F3A20746578742032222C226B6579223A226563686F3A313A32227D',X'');
CREATE TABLE pack(
  pos INTEGER PRIMARY KEY, account INTEGER NOT NULL, incarnation INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
INSERT INTO "pack" VALUES(1,1,1,1,2,1,X'92C402010192C4CE7B226163636F756E74223A226972633A6C6962657261222C226368616E6E656C223A22697263222C226163636F756E744964223A226C6962657261222C22646972656374696F6E223A22696E222C22637572736F72223A22313A31222C226D657373616765223A7B226964223A226D31222C2263686174223A7B226964223A22706572736F6E2D31222C226B696E64223A22646972656374227D2C2273656E646572223A7B226964223A22706572736F6E2D31227D2C2274657874223A22746578742031222C227473223A317D7DC4CE7B226163636F756E74223A226972633A6C6962657261222C226368616E6E656C223A22697263222C226163636F756E744964223A226C6962657261222C22646972656374696F6E223A22696E222C22637572736F72223A22313A32222C226D657373616765223A7B226964223A226D32222C2263686174223A7B226964223A22706572736F6E2D31222C226B696E64223A22646972656374227D2C2273656E646572223A7B226964223A22706572736F6E2D31227D2C2274657874223A22746578742032222C227473223A317D7D');
CREATE TABLE person(
  account INTEGER NOT NULL, sender TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY(account, sender)
) STRICT, WITHOUT ROWID;
INSERT INTO "person" VALUES(1,'person-2','{"sender":"person-2","state":"allowed","id":"0123456789abcdef0123456789abcdef","chat":"person-2","created":6,"seen":6}');
CREATE TABLE seen(
  account INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(account, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "seen" VALUES(1,'m1');
INSERT INTO "seen" VALUES(1,'m2');
CREATE INDEX pack_of_account ON pack(account, incarnation, last);
CREATE INDEX ids_of_account ON ids(account, pos);
CREATE UNIQUE INDEX outgoing_key ON outgoing(account, key);
CREATE INDEX outgoing_open ON outgoing(account, n) WHERE state IN ('queued', 'attempting');
CREATE INDEX outgoing_letter ON outgoing(at) WHERE letter = 1;
CREATE INDEX outgoing_old ON outgoing(at) WHERE letter = 0;
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
CREATE TRIGGER step_person INSTEAD OF INSERT ON step WHEN new.kind = 6 BEGIN
  INSERT OR REPLACE INTO person
    SELECT new.account, new.text->>'sender', new.text WHERE new.text->>'state' IS NOT 'forgotten';
  DELETE FROM person WHERE new.text->>'state' = 'forgotten'
    AND account = new.account AND sender = new.text->>'sender';
END;
PRAGMA application_id=1414680139;
PRAGMA user_version=3;
COMMIT;
