// What is different between two texts.

import assert from "node:assert/strict";
import test from "node:test";
import { hunksOf } from "../../../../runtime/gateway/page/diff.js";

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at));

/** Put a difference back together: both texts must come out. */
function texts(before, after) {
  const whole = hunksOf(before, after).flat();
  return [whole.filter(([mark]) => mark !== "+").map((each) => each[1]), whole.filter(([mark]) => mark !== "-").map((each) => each[1])];
}

test("equal texts have no difference", () => assert.deepEqual(hunksOf("a\nb", "a\nb"), []));

test("a changed line stands between the lines around it, with its number", () => {
  const before = numbers(1, 20);
  const after = before.with(9, "ten");
  const [hunk, ...more] = hunksOf(before.join("\n"), after.join("\n"));
  assert.equal(more.length, 0);
  assert.deepEqual(hunk.map(([mark, line]) => mark + line), [" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"]);
  assert.deepEqual(hunk.filter(([mark]) => mark !== " ").map((each) => each[2]), [10, 10]);
});

test("an empty text has no lines", () => {
  assert.deepEqual(hunksOf("", "a\nb").flat().map(([mark, line]) => mark + line), ["+a", "+b"]);
  assert.deepEqual(hunksOf("a", "").flat().map(([mark, line]) => mark + line), ["-a"]);
  assert.deepEqual(hunksOf("", ""), []);
});

test("changes that are far apart are two parts", () => {
  const before = numbers(1, 40);
  assert.equal(hunksOf(before.join("\n"), before.with(1, "x").with(35, "y").join("\n")).length, 2);
});

test("whatever changes, both texts are in the difference", () => {
  const words = ["a", "b", "c", "d", "e"];
  let seed = 7;
  const next = (most) => (seed = (seed * 48271) % 2147483647) % most;
  for (let round = 0; round < 300; round += 1) {
    const [before, after] = [0, 1].map(() => Array.from({ length: next(4) + 1 }, () => words[next(5)]));
    if (before.join() === after.join()) continue;
    assert.deepEqual(texts(before.join("\n"), after.join("\n")), [before, after]);
  }
});
