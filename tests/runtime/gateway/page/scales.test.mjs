import assert from "node:assert/strict";
import { test } from "node:test";
import { roundAbove, timeRange } from "../../../../runtime/gateway/page/scales.js";

test("an axis of time ends with the newest time, be it the only one, and with now without any", () => {
  assert.deepEqual(timeRange([1000, 1010], 3600, 5e9), [1010 - 3600, 1010]);
  assert.deepEqual(timeRange([1000], 3600, 5e9), [1000 - 3600, 1000]);
  assert.deepEqual(timeRange([], 3600, 5_000_000), [5000 - 3600, 5000]);
});

test("an axis of values ends with a round one above the line", () => {
  const cases = [[0, 1], [null, 1], [0.3, 0.4], [1, 2], [38.2, 40], [39.9, 50], [96, 100], [99.9, 200], [340, 400]]; // prettier-ignore
  for (const [most, end] of cases) assert.ok(Math.abs(roundAbove(most) - end) < 1e-9, `${most}: ${roundAbove(most)}`);
});
