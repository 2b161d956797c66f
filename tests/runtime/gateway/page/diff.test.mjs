// What is different between two texts.

import assert from "node:assert/strict";
import test from "node:test";
import { hunksOf, inPieces, isLong, piecesOf, spread } from "../../../../runtime/gateway/page/diff.js";

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

test("what has changed within a line is marked, and a line that is another one is not", () => {
  assert.deepEqual(piecesOf('"port": 18789,', '"port": 18790,'), [
    [['"port": ', false], ["18789", true], [",", false]],
    [['"port": ', false], ["18790", true], [",", false]],
  ]);
  assert.deepEqual(piecesOf("abc", "xyz"), [[["abc", false]], [["xyz", false]]]);
  const lines = inPieces(hunksOf("a\nport 1\nb", "a\nport 2\nport 3\nb")[0]);
  assert.deepEqual(lines.map(([mark, pieces]) => `${mark}${pieces.map(([text, changed]) => (changed ? `<${text}>` : text)).join("")}`), [" a", "-port <1>", "+port <2>", "+port 3", " b"]);
});

test("a file of one line is compared field by field, whatever stands in its texts", () => {
  const before = `{gateway: {port: 1, url: "http://[x], {y}" /* a, b */}, channels: {}, list: ['it\\'s', 2]${" ".repeat(200)}}`;
  assert.equal(isLong("short\nlines", "too"), false);
  assert.equal(isLong("short", before), true);
  assert.deepEqual(spread(before).split("\n"), [
    "{", "  gateway: {", "    port: 1,", '    url: "http://[x], {y}" /* a, b */', "  },", "  channels: {},", "  list: [", "    'it\\'s',", "    2", "  ]", "}",
  ]); // prettier-ignore
  const changed = hunksOf(spread(before), spread(before.replace("port: 1", "port: 2"))).flat().filter(([mark]) => mark !== " ");
  assert.deepEqual(changed.map(([mark, text]) => mark + text.trim()), ["-port: 1,", "+port: 2,"]);
  assert.equal(spread("{a: 1, // one\nb: 2}"), "{\n  a: 1,\n  // one\n  b: 2\n}");
  for (const broken of ["", '{"a', "}]", "{a: [", "/* open"]) assert.equal(typeof spread(broken), "string");
});

test("a bracket in a comment is none, and a long line is spread in a time that grows as it does", () => {
  assert.equal(spread("{a: [ // none: {\n]}"), "{\n  a: [\n    // none: {\n  ]\n}");
  const text = `{${'"a": [{}, 1],'.repeat(50_000)}}`;
  const begun = performance.now();
  assert.equal(spread(text).split("\n").length, 50_000 * 4 + 2);
  assert.ok(performance.now() - begun < 5000); // or it would be a minute
});
