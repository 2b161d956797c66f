BEGIN TRANSACTION;
CREATE TABLE account(
  n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, place TEXT NOT NULL, cursor BLOB NOT NULL
) STRICT;
INSERT INTO "account" VALUES(1,'irc:libera','{"key":"irc:libera","number":1,"incarnation":1,"seq":3,"floor":[1,0],"settled":[1,2],"skips":[3,3],"identity":"bot-1","known":2,"entries":3}',X'7B226F6666736574223A377D');
CREATE TABLE entry(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, session TEXT NOT NULL, at INTEGER NOT NULL,
  chat TEXT NOT NULL, sender TEXT NOT NULL, row TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
INSERT INTO "entry" VALUES(1,1,'agent:echo:irc:libera:direct:person-1',7,'person-1','person-1','{"role":"user","text":"","at":7,"run":"run-1","chat":"person-1","sender":"person-1"}','text 1');
INSERT INTO "entry" VALUES(2,1,'agent:echo:irc:libera:direct:person-1',9,'person-1','','{"role":"assistant","text":"","at":9,"run":"run-1","chat":"person-1"}','echo: text 1');
INSERT INTO "entry" VALUES(3,1,'agent:echo:gone',5,'','','{"role":"notice","text":"","at":5}','no more');
CREATE TABLE gone(session TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "gone" VALUES('agent:echo:gone',3);
CREATE TABLE ids(
  pos INTEGER PRIMARY KEY, account INTEGER NOT NULL, at INTEGER NOT NULL,
  count INTEGER NOT NULL, ids TEXT NOT NULL
) STRICT;
INSERT INTO "ids" VALUES(1,1,1,2,'["m1","m2"]');
CREATE TABLE item(
  kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "item" VALUES('cron.job','job-1',X'7B226964223A226A6F622D31227D');
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
CREATE TABLE run(
  n INTEGER PRIMARY KEY, account INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
  open INTEGER NOT NULL, row TEXT NOT NULL, request BLOB NOT NULL, answer BLOB NOT NULL
) STRICT;
INSERT INTO "run" VALUES(1,1,'run-1',9,0,'{"id":"run-1","session":"agent:echo:irc:libera:direct:person-1","agent":"echo","origin":{"account":"irc:libera","chat":"person-1","message":"m1","sender":"person-1"},"reply":{"account":"irc:libera","to":"person-1"},"at":7,"state":"final","started":8,"incarnation":3,"deadline":0,"retried":false,"deaths":0,"collected":[],"events":1,"seen":true,"ended":9,"error":"","detail":"","result":{}}',X'',X'6563686F3A20746578742031');
INSERT INTO "run" VALUES(2,1,'run-2',10,1,'{"id":"run-2","session":"agent:echo:irc:libera:direct:person-1","agent":"echo","origin":{"account":"irc:libera","chat":"person-1","message":"m1","sender":"person-1"},"reply":{"account":"irc:libera","to":"person-1"},"at":10,"state":"running","started":11,"incarnation":3,"deadline":0,"retried":false,"deaths":0,"collected":[],"events":2,"seen":true}',X'7B2274657874223A22746578742031222C2273656E646572223A7B226964223A22706572736F6E2D31227D2C2263686174223A7B226964223A22706572736F6E2D31222C226B696E64223A22646972656374227D7D',X'6563686F');
CREATE TABLE seen(
  account INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(account, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "seen" VALUES(1,'m1');
INSERT INTO "seen" VALUES(1,'m2');
CREATE TABLE session(
  n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, updated INTEGER NOT NULL,
  row TEXT NOT NULL
) STRICT;
INSERT INTO "session" VALUES(1,'agent:echo:irc:libera:direct:person-1','echo',7,'{"key":"agent:echo:irc:libera:direct:person-1","agent":"echo","id":"session-1","kind":"direct","created":7,"updated":7,"messages":2,"runs":1,"channel":"irc","account":"irc:libera","to":"person-1"}');
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
CREATE UNIQUE INDEX run_id ON run(id, account);
CREATE INDEX run_open ON run(account, n) WHERE open = 1;
CREATE INDEX run_old ON run(at) WHERE open = 0;
CREATE INDEX session_updated ON session(updated);
CREATE INDEX entry_of_session ON entry(session, n);
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
      WHEN 3 THEN iif(length(answer) > 65536 - 4, answer,
        substr(CAST(answer || new.body AS BLOB), 1, 65536)) ELSE answer END
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
CREATE TRIGGER step_item INSTEAD OF INSERT ON step WHEN new.kind = 12 BEGIN
  INSERT OR REPLACE INTO item VALUES(new.text->>0, new.text->>1, new.body);
END;
CREATE TRIGGER step_item_gone INSTEAD OF INSERT ON step WHEN new.kind = 13 BEGIN
  DELETE FROM item WHERE kind = new.text->>0 AND id = new.text->>1;
END;
COMMIT;
PRAGMA application_id=1414680139;
PRAGMA user_version=5;
