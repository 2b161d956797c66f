// Lines of logs, of our own processes and of whatever writes to its standard error.

import assert from "node:assert/strict";
import test from "node:test";
import { isLineMeant, lineOf, missedOf } from "../../../../runtime/gateway/page/log_lines.js";

const of = (fields) => lineOf(JSON.stringify({ ts: "2026-11-29T14:00:00.000Z", account: "irc:libera", ...fields }), 1);

test("a record of ours has its level, and its fields behind it", () => {
  const line = of({ event: "client refused", level: "warning", reason: "token" });
  assert.deepEqual([line.level, line.event, line.rest, line.process], ["warning", "client refused", "reason=token", "irc:libera"]);
  assert.equal(line.at, Date.UTC(2026, 10, 29, 14));
});

const spoken = [
  ["WARNING ending cause='transient'", "warning", "ending cause='transient'"],
  ["2026-11-29 14:35:51 [info     ] client refused", "info", "client refused"],
  ["[error    ] broken", "error", "broken"],
  ["informed by nobody", "info", "informed by nobody"],
  ["Traceback (most recent call last):", "error", "Traceback (most recent call last):"],
  ["  indented by itself", "info", "  indented by itself"],
];
for (const [text, level, event] of spoken) {
  test(text, () => {
    const line = of({ incarnation: 1, stream: "stderr", text });
    assert.deepEqual([line.level, line.event, line.rest], [level, event, ""]);
  });
}

const FAULTS = `
info: starting
  with two lines
ERROR could not connect
  to irc.example
Traceback (most recent call last):
  File "plugin.py", line 1, in run

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "plugin.py", line 2, in run
    connect()
OSError: [Errno 111] refused
connected at last
  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    +------------------------------------
connected again`;

test("what continues an error is one: its indented lines, and a traceback to its end", () => {
  const streams = new Map();
  const levelOf = (fields) => lineOf(JSON.stringify({ ts: "", account: "irc:a", stream: "stderr", ...fields }), 1, streams).level;
  const found = FAULTS.slice(1).split("\n").map((text) => [text, levelOf({ text })]);
  const good = found.filter(([, level]) => level !== "error").map(([text]) => text);
  assert.deepEqual(good, ["info: starting", "  with two lines", "connected at last", "connected again"]);
  levelOf({ text: "warning: slow" });
  assert.equal(levelOf({ text: "  elsewhere", account: "irc:b" }), "info");
  assert.equal(levelOf({ text: "  elsewhere", stream: "stdout" }), "info");
  assert.equal(levelOf({ text: "(the same once more)", repeated: 1 }), "warning");
  assert.equal(levelOf({ text: "  here" }), "warning");
  levelOf({ event: "ours", level: "error" });
  assert.equal(levelOf({ text: "words of another" }), "info");
});

test("what is no JSON is shown as it is", () => assert.equal(lineOf("junk {", 1).event, "junk {"));

test("a level means all that is worse, too", () => {
  const line = of({ event: "x", level: "error" });
  const which = { level: "warning", process: "", words: [] };
  assert.equal(isLineMeant(line, which), true);
  assert.equal(isLineMeant({ ...line, level: "info" }, which), false);
  assert.equal(isLineMeant(line, { ...which, process: "gateway" }), false);
  assert.equal(isLineMeant(line, { ...which, words: ["libera", "x"] }), true);
});

test("what a log could not be read of stands in it", () => {
  assert.equal(missedOf({ lines: [] }), "");
  assert.match(missedOf({ skippedBytes: 2048 }), /^2.0 KiB of log came faster .* may be missing here/);
  assert.match(missedOf({ reset: true }), /started anew, .* may be missing here/);
});
