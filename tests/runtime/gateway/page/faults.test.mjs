// What went wrong, as sentences.

import assert from "node:assert/strict";
import test from "node:test";
import { faultOf } from "../../../../runtime/gateway/page/faults.js";

const event = (type, more) => faultOf({ seq: 1, ts: 5, type, ...more });

test("each fault is a sentence; what is not known is shown as it came", () => {
  const account = "irc:libera";
  assert.equal(event("account.backoff", { account, reason: "exit_code", failures: 3 }), "failed, and is tried again: exit code, 3 failures in a row");
  assert.equal(event("account.failed", { account, reason: "needs_login", failures: 1 }), "failed: needs login");
  assert.equal(event("agent.backoff", { agent: "agent:echo" }), "agent:echo failed, and is tried again");
  assert.equal(event("client.refused", { reason: "token-mismatch" }), "A client was refused: token mismatch");
  assert.equal(event("device.approved", { device: "0123456789abcdef0123", reason: "one-time token" }), "The device 0123456789abcdef was let in: one time token");
  assert.equal(event("new.kind", { reason: "why", place: { a: 1 } }), 'new.kind reason: why, place: {"a":1}');
});
