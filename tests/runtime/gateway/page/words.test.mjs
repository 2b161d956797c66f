import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, clock, count, countdown, exactly, grouped, percent, short, span, ticksOf } from "../../../../runtime/gateway/page/words.js";

const rows = (name, does, cases) =>
  test(name, () => {
    for (const [given, expected] of cases) assert.equal(does(...given), expected, JSON.stringify(given));
  });

rows("a span has at most two units", span, [
  [[0], "0 s"],
  [[-5], "0 s"],
  [[12_900], "12 s"],
  [[300_000], "5 min"],
  [[310_000], "5 min"],
  [[3_600_000 * 3 + 60_000 * 7], "3 h 7 min"],
  [[86_400_000 * 3 + 3_600_000 * 4], "3 d 4 h"],
  [[86_400_000 * 30], "30 d"],
  [[86_400_000 * 3 + 3_600_000 * 4, 1], "3 d"],
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
  [[1_000_000, 1_300_000], "5 min ago"],
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

rows("a large number has its digits in threes", grouped, [
  [[0], "0"],
  [[999], "999"],
  [[1000], "1,000"],
  [[1_234_567], "1,234,567"],
]);

rows("one account, two accounts", count, [
  [[1, "account"], "1 account"],
  [[2, "account"], "2 accounts"],
  [[12_345, "account"], "12,345 accounts"],
  [[0, "entry", "entries"], "0 entries"],
]);

const at = (text) => new Date(text).getTime(); // in the zone of whoever looks

rows("a time of day has its date where that is another one, as ISO writes it", clock, [
  [[at("2026-11-28T14:03:22"), at("2026-11-28T23:00:00")], "14:03:22"],
  [[at("2026-11-28T14:03:22"), at("2026-11-29T01:00:00")], "11-28 14:03"],
  [[at("2025-12-31T23:59:59"), at("2026-01-01T00:00:01")], "2025-12-31 23:59"],
]);

test("a time in full has its zone", () => {
  const zone = process.env.TZ;
  const cases = [
    ["UTC", "2026-11-28 14:03:02 GMT"],
    ["Asia/Kolkata", "2026-11-28 19:33:02 GMT+05:30"],
    ["America/New_York", "2026-11-28 09:03:02 GMT-05:00"],
    ["America/St_Johns", "2026-11-28 10:33:02 GMT-03:30"],
  ];
  try {
    for (const [name, text] of cases) {
      process.env.TZ = name;
      assert.equal(exactly(Date.UTC(2026, 10, 28, 14, 3, 2)), text);
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

test("an axis of time has the date at its first place and where a day begins", () => {
  const seconds = (...texts) => texts.map((text) => at(text) / 1000);
  assert.deepEqual(ticksOf(seconds("2026-11-28T22:00", "2026-11-28T23:00", "2026-11-29T00:00")), ["22:00\n2026-11-28", "23:00", "00:00\n2026-11-29"]);
  assert.deepEqual(ticksOf(seconds("2026-11-28T22:00:00", "2026-11-28T22:00:15")), ["22:00:00\n2026-11-28", "22:00:15"]);
  assert.deepEqual(ticksOf([]), []);
});
