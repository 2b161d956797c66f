// What went wrong, as sentences.

import assert from "node:assert/strict";
import test from "node:test";
import { faultOf, folded } from "../../../../runtime/gateway/page/faults.js";

const event = (type, more) => faultOf({ seq: 1, ts: 5, type, ...more });

test("each fault is a sentence; what is not known is shown as it came", () => {
  const account = "irc:libera";
  assert.equal(event("account.backoff", { account, reason: "exit_code", failures: 3 }), "failed, and is tried again: exit code, 3 failures in a row");
  assert.equal(event("account.failed", { account, reason: "needs_login", failures: 1 }), "failed: needs login");
  assert.equal(event("agent.backoff", { agent: "agent:echo" }), "agent:echo failed, and is tried again");
  assert.equal(event("message.unsent", { account, reason: "no such-nick", times: 3, first: 1 }), "did not send a message: no such-nick");
  assert.equal(event("client.refused", { reason: "AUTH_TOKEN_MISMATCH" }), "A client was refused: auth token mismatch");
  assert.equal(event("client.refused", { reason: "A_B", address: "192.0.2.7", times: 17, first: 1 }), "A client at 192.0.2.7 was refused: a b");
  assert.equal(event("new.kind", { reason: "why", place: { a: 1 } }), 'new.kind reason: why, place: {"a":1}');
});

test("faults of one account and kind are one line, where the newest of them stands", () => {
  const at = (seq, type, account) => ({ seq, ts: seq * 10, type, ...(account ? { account } : {}) });
  const events = [at(1, "account.backoff", "irc:a"), at(2, "client.refused"), at(3, "account.backoff", "irc:b"), at(4, "account.backoff", "irc:a"), at(5, "client.refused")];
  assert.deepEqual(folded(events).map(({ event, times, first }) => [event.seq, times, first]), [[5, 2, 20], [4, 2, 10], [3, 1, 30]]);
  const refused = [1, 2, 3].map((seq) => ({ ...at(seq, "client.refused"), reason: seq === 2 ? "AUTH_TOKEN_MISSING" : "AUTH_TOKEN_MISMATCH" }));
  assert.deepEqual(folded(refused).map(({ event, times }) => [event.seq, times]), [[3, 2], [2, 1]]);
  const unsent = { type: "message.unsent", account: "irc:a" };
  const counted = [{ seq: 1, ts: 90, first: 10, times: 7, ...unsent }, at(2, "client.refused"), { seq: 3, ts: 99, ...unsent }];
  const began = [{ seq: 1, ts: 50, first: 40, times: 2, ...unsent, reason: "a" }, { seq: 2, ts: 60, first: 10, times: 7, ...unsent, reason: "b" }];
  assert.deepEqual(folded(began).map(({ event, times, first }) => [event.seq, times, first]), [[2, 9, 10]]); // the newest began first
  assert.deepEqual(folded(counted).map(({ event, times, first }) => [event.seq, times, first]), [[3, 8, 10], [2, 1, 20]]);
});
