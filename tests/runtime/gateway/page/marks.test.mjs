// The marks of Markdown that the chat shows.

import assert from "node:assert/strict";
import test from "node:test";
import { blocksOf, piecesOf } from "../../../../runtime/gateway/page/marks.js";

const lines = [
  ["plain", ["plain"]],
  ["a `b` c", ["a ", { code: "b" }, " c"]],
  ["**a** b", [{ bold: "a" }, " b"]],
  ["see https://a.b/c?d=1.", ["see ", { address: "https://a.b/c?d=1" }, "."]],
  ["(https://a.b)", ["(", { address: "https://a.b" }, ")"]],
  ["javascript:alert(1)", ["javascript:alert(1)"]],
  ["`**a**`", [{ code: "**a**" }]],
  ["2 ** 3 ** 4", ["2 ", { bold: " 3 " }, " 4"]],
  ["<b>x</b>", ["<b>x</b>"]],
];
for (const [text, pieces] of lines) test(text, () => assert.deepEqual(piecesOf(text), pieces));

test("code between fences is a block; a fence that is not closed reaches to the end", () => {
  assert.deepEqual(blocksOf("a\n```js\nb\n\n```\nc"), [{ pieces: ["a"] }, { code: "b\n", language: "js" }, { pieces: ["c"] }]);
  assert.deepEqual(blocksOf("```\na\n```b"), [{ code: "a\n```b", language: "" }]);
  assert.deepEqual(blocksOf("\n\n"), []);
});

test("line breaks are left out around a text and kept in it, however many there are", () => {
  const text = `a${"\n".repeat(200_000)}b`;
  const begun = performance.now();
  assert.deepEqual(blocksOf(`\n\n${text}\n`), [{ pieces: [text] }]);
  assert.ok(performance.now() - begun < 5000); // or it would be half a minute
});
