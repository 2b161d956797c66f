import assert from "node:assert/strict";
import { test } from "node:test";
import { alike } from "../../../../runtime/gateway/page/alike.js";

const KEYS = ["irc:harbour", "irc:libera", "local:amber-000", "local:amber-001", "local:harbour", "local:x", "local:y", "local:z"];

test("a mistyped key finds those that are most like it", () => {
  const cases = [
    ["irc:harbor", ["irc:harbour", "local:harbour"].slice(0, 1)],
    ["irc:harbour2", ["irc:harbour"]],
    ["IRC:Libera", ["irc:libera"]],
    ["signal:harbour", ["irc:harbour", "local:harbour"]],
    ["local:amber-002", ["local:amber-000", "local:amber-001"]],
    ["local:amber", ["local:amber-000", "local:amber-001"]],
    ["irc:nothing-like-it", []],
    ["", []],
  ];
  for (const [text, found] of cases) assert.deepEqual(alike(text, KEYS).sort(), found, text);
  assert.equal(alike("local:w", KEYS).length, 3);
});
