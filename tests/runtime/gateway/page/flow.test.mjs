import assert from "node:assert/strict";
import { test } from "node:test";
import { Flow, STEPS } from "../../../../runtime/gateway/page/flow.js";

const MINUTE = 60_000;

test("the newest step stands last, and steps without messages are 0", () => {
  const flow = new Flow(MINUTE);
  flow.add(100 * MINUTE, 3, 1);
  flow.add(102 * MINUTE, 5, 0);
  assert.deepEqual(flow.past(103 * MINUTE).slice(-5), [0, 4, 0, 5, 0]);
  assert.equal(flow.past(103 * MINUTE).length, STEPS);
});

test("what is older than the past is left out, and so is a past that is over", () => {
  const flow = new Flow(MINUTE);
  flow.add(100 * MINUTE, 1, 0);
  flow.add((100 - STEPS) * MINUTE, 9, 9);
  assert.equal(flow.past(100 * MINUTE).reduce((a, b) => a + b), 1);
  assert.equal(flow.past(1000 * MINUTE).reduce((a, b) => a + b), 0);
});

test("the pace is that of the last minute, as if the step before had been even", () => {
  const flow = new Flow(MINUTE);
  flow.add(100 * MINUTE, 60, 6);
  assert.deepEqual(flow.pace(101 * MINUTE), { in: 60, out: 6 });
  assert.deepEqual(flow.pace(101.5 * MINUTE), { in: 30, out: 3 });
  assert.deepEqual(flow.pace(103 * MINUTE), { in: 0, out: 0 });
  const slow = new Flow(2 * MINUTE);
  slow.add(100 * MINUTE, 60, 0);
  assert.equal(slow.pace(100.5 * MINUTE).in, 30);
});
