// The newest messages, each once and in order.

import assert from "node:assert/strict";
import test from "node:test";
import { Stream, areMany, isMeant, rowOf } from "../../../../runtime/gateway/page/stream.js";

const event = (number, at, more = {}) => ({
  account: "irc:libera", cursor: `1:${number}`, direction: "in",
  message: { ts: at, text: `text ${number}`, chat: { id: "#room" }, sender: { id: "ada", name: "Ada" } }, ...more,
}); // prettier-ignore

test("a message that is told twice stands there once, and late ones stand where they belong", () => {
  const stream = new Stream();
  assert.deepEqual([stream.take(event(1, 10)), stream.take(event(3, 30)), stream.take(event(2, 20)), stream.take(event(3, 30))], [true, true, true, false]);
  assert.deepEqual(stream.rows.map((row) => row.at), [10, 20, 30]);
  assert.equal(stream.added, 3);
});

test("old messages give way, and may come again", () => {
  const stream = new Stream();
  for (let number = 1; number <= 2501; number += 1) stream.take(event(number, number));
  assert.equal(stream.rows.length, 2001);
  assert.equal(stream.rows[0].at, 501);
  assert.equal(stream.take(event(1, 9000)), true);
});

test("what was sent has its chat, and one without text its files", () => {
  const sent = rowOf({ account: "a:b", cursor: "1:1", direction: "out", message: { to: "#room", ts: 1, text: "", attachments: [{ name: "cat.png" }] } });
  assert.deepEqual([sent.chat, sent.sender, sent.text], ["#room", "", "[cat.png]"]);
});

test("words and a direction choose; a gap is always shown", () => {
  const row = rowOf(event(1, 10));
  assert.equal(isMeant(row, ["libera", "ada"], ""), true);
  assert.equal(isMeant(row, ["oftc"], ""), false);
  assert.equal(isMeant(row, [], "out"), false);
  const stream = new Stream();
  stream.gap("irc:libera", 5);
  assert.equal(isMeant(stream.rows[0], [], "out"), true);
});

test("a batch says how many are new, and notes a gap only where what came before is not reached", () => {
  const stream = new Stream();
  const batch = (first, last, more) => {
    const messages = [];
    for (let number = last; number >= first; number -= 1) messages.push(event(number, number * 10));
    return { messages, more };
  };
  assert.equal(stream.takeBatch(batch(1, 3, true)), 3); // the first: nothing came before
  assert.equal(stream.takeBatch(batch(2, 5, true)), 2);
  assert.equal(stream.takeBatch(batch(6, 8, false)), 3); // all that the gateway has
  assert.equal(stream.takeBatch(batch(11, 12, true)), 2);
  assert.equal(stream.takeBatch(batch(11, 12, true)), 0);
  assert.equal(stream.takeBatch({ messages: [], more: false }), 0);
  assert.equal(stream.takeBatch({ messages: [], more: true }), 0); // only other events are in memory
  assert.deepEqual(stream.rows.map((row) => (row.direction === "gap" ? "gap" : row.at)), [10, 20, 30, 40, 50, 60, 70, 80, "gap", 110, 120]);
});

test("messages are many from 100 a second on, and until there are fewer than 40", () => {
  assert.deepEqual([99, 100].map((each) => areMany(false, each)), [false, true]);
  assert.deepEqual([39, 40].map((each) => areMany(true, each)), [false, true]);
});
