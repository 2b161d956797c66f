import assert from "node:assert/strict";
import { test } from "node:test";
import { isOlder, together } from "../../../../runtime/gateway/page/client.js";

test("one subscription holds what all need", () => {
  assert.deepEqual(together([]), { events: [], runs: false, accounts: [] });
  assert.deepEqual(
    together([
      { events: ["channel.status"] },
      { events: ["channel.message", "channel.status"], accounts: ["irc:a"] },
      { runs: ["agent:main:main"] },
    ]),
    { events: ["channel.message", "channel.status"], runs: ["agent:main:main"] },
  );
  assert.deepEqual(together([{ events: ["channel.message"], accounts: ["b", "a"] }, { events: ["channel.event"], accounts: ["a"] }]), {
    events: ["channel.event", "channel.message"],
    runs: false,
    accounts: ["a", "b"],
  });
  assert.deepEqual(together([{ runs: ["a"] }, { runs: true }, { figures: { everyMs: 5000 } }]), {
    events: [],
    runs: true,
    figures: { everyMs: 5000 },
    accounts: [],
  });
});

test("an event that has been seen is not a newer one", () => {
  assert.equal(isOlder("1:5", undefined), false);
  assert.equal(isOlder("1:5", "1:5"), true);
  assert.equal(isOlder("1:6", "1:5"), false);
  assert.equal(isOlder("2:1", "1:999"), false);
  assert.equal(isOlder("1:999", "2:1"), true);
});
