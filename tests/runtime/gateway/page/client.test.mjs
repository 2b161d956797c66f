import assert from "node:assert/strict";
import { test } from "node:test";
import { isOlder, together } from "../../../../runtime/gateway/page/client.js";

const NONE = { events: [], runs: false, figures: false, health: false };

test("one subscription holds what all need", () => {
  assert.deepEqual(together([]), { ...NONE, accounts: [] });
  assert.deepEqual(
    together([
      { events: ["channel.status"] },
      { events: ["channel.message", "channel.status"], accounts: ["irc:a"] },
      { runs: ["agent:main:main"] },
    ]),
    { ...NONE, events: ["channel.message", "channel.status"], runs: ["agent:main:main"] },
  );
  const some = [{ events: ["channel.message"], accounts: ["b", "a"] }, { events: ["channel.event"], accounts: ["a"] }];
  assert.deepEqual(together(some), { ...NONE, events: ["channel.event", "channel.message"], accounts: ["a", "b"] });
  const rest = [{ runs: ["a"] }, { runs: true }, { figures: { everyMs: 5000 } }, { figures: { everyMs: 1000 }, health: true }];
  assert.deepEqual(together(rest), { events: [], runs: true, figures: { everyMs: 1000 }, health: true, accounts: [] });
});

test("an event that has been seen is not a newer one", () => {
  assert.equal(isOlder("1:5", undefined), false);
  assert.equal(isOlder("1:5", "1:5"), true);
  assert.equal(isOlder("1:6", "1:5"), false);
  assert.equal(isOlder("2:1", "1:999"), false);
  assert.equal(isOlder("1:999", "2:1"), true);
});
