// Which element draws which row.

import assert from "node:assert/strict";
import test from "node:test";
import { Slots } from "../../../../runtime/gateway/page/slots.js";

const NONE = new Set();

test("a row keeps its element while it is in sight, and leaves it to one that comes", () => {
  const slots = new Slots();
  const steps = [
    [["a", "b", "c"], NONE, [0, 1, 2]],
    [["d", "a", "b"], NONE, [2, 0, 1]], // one has come on top: the last one's element moves there
    [["g", "f", "e"], NONE, [2, 0, 1]], // all are others: none moves
    [["h", "g"], NONE, [0, 2]],
    [["h", "g", "i"], NONE, [0, 2, 3]], // what was not needed is gone
    [["j", "k", "l"], new Set([2]), [0, 3, 4]], // one has the keyboard, and goes with its row
  ];
  for (const [keys, held, expected] of steps) assert.deepEqual(slots.place(keys, held), expected, keys.join());
});
