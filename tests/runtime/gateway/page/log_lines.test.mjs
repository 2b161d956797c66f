// Lines of logs, of our own processes and of whatever writes to its standard error.

import assert from "node:assert/strict";
import test from "node:test";
import { isLineMeant, lineOf } from "../../../../runtime/gateway/page/log_lines.js";

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
  ["Traceback (most recent call last):", "info", "Traceback (most recent call last):"],
];
for (const [text, level, event] of spoken) {
  test(text, () => {
    const line = of({ incarnation: 1, stream: "stderr", text });
    assert.deepEqual([line.level, line.event, line.rest], [level, event, ""]);
  });
}

test("what is no JSON is shown as it is", () => assert.equal(lineOf("junk {", 1).event, "junk {"));

test("a level means all that is worse, too", () => {
  const line = of({ event: "x", level: "error" });
  const which = { level: "warning", process: "", words: [] };
  assert.equal(isLineMeant(line, which), true);
  assert.equal(isLineMeant({ ...line, level: "info" }, which), false);
  assert.equal(isLineMeant(line, { ...which, process: "gateway" }), false);
  assert.equal(isLineMeant(line, { ...which, words: ["libera", "x"] }), true);
});
