// Who has written to an account, and which list lets somebody in.

import assert from "node:assert/strict";
import test from "node:test";
import { accountsOf, caseOf, doorOf, saidBy, writersOf } from "../../../../runtime/gateway/page/writers.js";

const written = (id, text, { kind = "direct", chat = id, ...more } = {}, direction = "in") => ({
  account: "local:amber", direction,
  message: { ts: 5, text, chat: { id: chat, kind }, sender: { id, name: id }, ...more },
}); // prettier-ignore

test("somebody who waits is quoted with what was written last, in the direct chat of that account", () => {
  const messages = [written("eve", "in a room", { kind: "group", chat: "#room" }), written("ada", "no"), written("eve", "the newest"), written("eve", "before")];
  const who = { channel: "local", accountId: "amber", senderId: "eve" };
  assert.equal(saidBy(messages, who), "the newest");
  assert.equal(saidBy(messages, { ...who, accountId: "birch" }), "");
  assert.deepEqual(accountsOf([who, who, { ...who, accountId: "a" }]), ["local:a", "local:amber"]);
});

test("writers stand there once in each chat, without bots, edits, history and what was sent", () => {
  const messages = [
    written("eve", "1"), written("eve", "2"), written("eve", "3", { kind: "group", chat: "#room", addressed: true }),
    written("ada", "4", {}, "out"), written("ada", "5", { meta: { history: true } }), written("ada", "6", { edits: "5" }),
    written("bot", "7", { sender: { id: "bot", bot: true } }),
  ]; // prettier-ignore
  assert.deepEqual(writersOf(messages).map(({ id, chat, addressed }) => [id, chat, addressed]), [["eve", "", false], ["eve", "#room", true]]);
});

test("the answer that counts is that for how somebody has written", () => {
  const cases = [true, false].flatMap((verified) => [true, false].map((addressed) => ({ verified, addressed })));
  assert.deepEqual(caseOf(cases, { chat: "#room", verified: false, addressed: true }), { verified: false, addressed: true });
  assert.deepEqual(caseOf([{ verified: true, addressed: true }], { chat: "", verified: true, addressed: false }), { verified: true, addressed: true });
});

test("a line lets somebody in at the list that has refused; where that takes more there is none", () => {
  const eve = { id: "eve", chat: "#room", verified: true };
  const why = (reason, configured = "channels.irc.groupAllowFrom") => ({ reason, configured });
  for (const [writer, found, door] of [
    [eve, why("dm-not-listed"), { list: "allowFrom", line: "eve" }],
    [{ ...eve, verified: false }, why("dm-not-listed"), { list: "allowFrom", line: "unverified:eve" }],
    [eve, why("sender-not-listed"), { list: "groupAllowFrom", line: "eve" }],
    [eve, why("sender-not-listed", "channels.irc.groups.#room"), null],
    [eve, why("group-not-listed"), { list: "groups", line: "#room" }],
    [{ ...eve, guild: "7" }, why("group-not-listed"), null],
    [eve, why("blocked"), null],
    [eve, why("dm-disabled"), null],
  ]) assert.deepEqual(doorOf(writer, found), door, JSON.stringify([writer, found])); // prettier-ignore
});
