// What stands beside a message, and when it is asked for again.

import assert from "node:assert/strict";
import test from "node:test";
import { canBeRead, isOpen, nameOf, saidOf } from "../../../../runtime/gateway/page/outcomes.js";

const NOW = 1_000_000;
const row = (direction, message = {}, at = NOW) => ({ direction, account: "irc:libera", cursor: "1:2", at, event: { message } });

test("a message in is named by its cursor, one out by its key, a gap not at all", () => {
  assert.deepEqual(nameOf(row("in")), { account: "irc:libera", cursor: "1:2" });
  assert.deepEqual(nameOf(row("in", { id: "m1" })), { account: "irc:libera", cursor: "1:2", id: "m1" });
  assert.deepEqual(nameOf(row("out", { key: "run:1" })), { account: "irc:libera", key: "run:1" });
  for (const each of [row("out"), row("gap")]) assert.equal(nameOf(each), null);
});

test("what is known and stays is not asked for again", () => {
  const cases = [
    [row("in"), undefined, true],
    [row("out"), undefined, false],
    [row("gap"), undefined, false],
    [row("in", {}, 0), { outcome: "running" }, true],
    [row("in"), { outcome: "answered" }, false],
    [row("in"), { outcome: "dropped" }, false],
    [row("in"), { outcome: "none" }, true], // not decided yet, perhaps
    [row("in", {}, NOW - 61_000), { outcome: "none" }, false],
    [row("in"), { outcome: "silent" }, true],
  ];
  for (const [each, found, open] of cases) assert.equal(isOpen(each, found, NOW), open, JSON.stringify([each.direction, found]));
});

test("rows that all give way at once are not asked about", () => {
  const keyed = (...keys) => keys.map((key) => ({ key }));
  const cases = [
    [keyed("a", "b"), [], 0, true], // the first ones
    [keyed("c", "a"), keyed("a", "b"), 0, true],
    [keyed("c", "d"), keyed("a", "b"), 0, false],
    [keyed("c", "d"), keyed("a", "b"), 2500, false],
    [keyed("c", "d"), keyed("a", "b"), 2501, true], // gone to by hand, or paused: they stay
  ];
  for (const [rows, before, age, read] of cases) assert.equal(canBeRead({ rows, before, since: NOW - age }, NOW), read, JSON.stringify([rows, before, age]));
});

test("it is said in words, with why", () => {
  const cases = [
    ["in", { outcome: "answered", agentId: "echo" }, "answered by echo", "ok"],
    ["in", { outcome: "dropped", text: "nobody is listed" }, "not answered: nobody is listed", "warn"],
    ["in", { outcome: "failed", text: "banned", agentId: "echo" }, "failed: banned", "bad"],
    ["in", undefined, "", ""],
    ["out", { outcome: "sent", agentId: "echo" }, "sent, answer of echo", "ok"],
    ["out", undefined, "sent", "ok"],
    ["out", { outcome: "unknown", text: "it has died" }, "perhaps sent: it has died", "warn"],
    ["gap", undefined, "", ""],
    ["in", { outcome: "of a later gateway" }, "of a later gateway", "faint"],
  ];
  for (const [direction, found, text, tone] of cases) assert.deepEqual(saidOf(direction, found), { text, tone });
});
