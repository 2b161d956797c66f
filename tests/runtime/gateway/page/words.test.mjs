import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, count, countdown, percent, short, span } from "../../../../runtime/gateway/page/words.js";

const rows = (name, does, cases) =>
  test(name, () => {
    for (const [given, expected] of cases) assert.equal(does(...given), expected, JSON.stringify(given));
  });

rows("a span has at most two units", span, [
  [[0], "0s"],
  [[-5], "0s"],
  [[12_900], "12s"],
  [[300_000], "5m"],
  [[310_000], "5m"],
  [[3_600_000 * 3 + 60_000 * 7], "3h7m"],
  [[86_400_000 * 3 + 3_600_000 * 4], "3d4h"],
  [[86_400_000 * 30], "30d"],
]);

rows("a countdown ends with now", countdown, [
  [[1000, 1000], "now"],
  [[500, 1000], "now"],
  [[1001, 1000], "in 1 s"],
  [[60_000, 1000], "in 59 s"],
  [[61_000, 1000], "in 1 min 00 s"],
  [[186_000, 1000], "in 3 min 05 s"],
  [[7_201_000, 1000], "in 2 h 00 min"],
]);

rows("what has been is told by its age", ago, [
  [[null, 5], "never"],
  [[1_000_000, 1_000_400], "now"],
  [[1_000_000, 1_300_000], "5m ago"],
]);

rows("sizes have a unit", bytes, [
  [[null], "–"],
  [[undefined], "–"],
  [[0], "0 B"],
  [[1536], "1.5 KiB"],
  [[40 * 1024 * 1024], "40 MiB"],
  [[3 * 1024 ** 3], "3.0 GiB"],
]);

rows("numbers are short", short, [
  [[0], "0"],
  [[0.25], "0.3"],
  [[999], "999"],
  [[1234], "1.2k"],
  [[34_567], "35k"],
  [[5_600_000], "5.6M"],
]);

rows("a share of a core", percent, [
  [[null], "–"],
  [[0.44], "0.4 %"],
  [[14.2], "14 %"],
]);

rows("one account, two accounts", count, [
  [[1, "account"], "1 account"],
  [[2, "account"], "2 accounts"],
  [[0, "entry", "entries"], "0 entries"],
]);
