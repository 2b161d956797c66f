// Whose conversation one is, and who reads what is written to it.

import assert from "node:assert/strict";
import test from "node:test";
import { readerOf, titleOf } from "../../../../runtime/gateway/page/conversations.js";

const chat = { agentId: "echo", channel: "local", lastAccountId: "amber-000", lastTo: "ada", derivedTitle: "hello" };

test("a conversation of a chat says with whom, where and with which agent it is", () => {
  assert.equal(titleOf(chat), "ada at local:amber-000, agent echo");
  assert.equal(titleOf({ agentId: "echo", label: "my notes", derivedTitle: "hello" }), "my notes, agent echo");
});

test("only the agent reads what is sent, and it is said whom it does not reach", () => {
  assert.equal(readerOf(chat), "To the agent; ada does not see it, nor the answer.");
  for (const none of [undefined, { agentId: "echo" }]) assert.equal(readerOf(none), "To the agent.");
});
