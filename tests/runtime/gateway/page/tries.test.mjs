import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, downSince, groupsOf } from "../../../../runtime/gateway/page/tries.js";

const event = (at, phase, more) => ({ at, phase, cause: null, text: null, failures: 0, ...more });
const failed = (at, text = "Connection refused") => event(at, "backoff", { text });
const shape = (events) => groupsOf(events).map((group) => [group.tries, group.events.map((each) => each.at)]);

test("tries in a row that failed for the same reason are one group, the newest first", () => {
  const series = [event(1, "running"), failed(2), event(3, "starting"), failed(4), event(5, "starting"), failed(6)];
  assert.deepEqual(shape(series), [[3, [2, 3, 4, 5, 6]], [0, [1]]]); // prettier-ignore
  assert.deepEqual(shape([...series, event(7, "starting")])[0], [0, [7]]); // it has not ended
});

test("what differs, was asked for or failed once stands by itself", () => {
  const other = [failed(1), event(2, "starting"), failed(3), event(4, "starting"), failed(5, "ping timeout")];
  assert.deepEqual(shape(other), [[0, [5]], [0, [4]], [2, [1, 2, 3]]]); // prettier-ignore
  const asked = [failed(1), event(2, "starting", { by: "ada" }), failed(3)];
  assert.deepEqual(shape(asked), [[0, [3]], [0, [2]], [0, [1]]]); // prettier-ignore
  assert.deepEqual(shape([failed(1), { ...failed(2), note: true }, failed(3)]).length, 3);
  assert.deepEqual(shape([]), []);
});

test("an account is down since its last run ended, or since it is known", () => {
  const events = [failed(1), event(2, "running"), event(3, "stopping"), failed(4), event(5, "starting"), failed(6)];
  assert.equal(downSince(events), 3);
  assert.equal(downSince(events.slice(3)), 4);
  assert.equal(downSince([...events, event(7, "running"), { ...failed(8), note: true }]), null);
  assert.equal(downSince([]), null);
});

test("events that stand for several count as these, from the first of them on", () => {
  const many = (at, phase, times, first) => event(at, phase, { times, first, ...(phase === "backoff" ? { text: "x" } : {}) });
  const series = [event(1, "running"), many(40, "starting", 8, 3), many(41, "backoff", 9, 2), event(42, "starting"), failed(43, "x")];
  const [group] = groupsOf(series);
  assert.deepEqual([group.tries, group.events.length, begin(group.events)], [10, 4, 2]);
  assert.equal(downSince(series), 2);
  const ran = [many(40, "backoff", 9, 2), event(50, "running"), many(60, "backoff", 5, 45)];
  assert.equal(downSince(ran), 50); // it came from before that run, too
});

test("what ran too shortly for its failures to be forgotten is part of the series", () => {
  const short = (at) => event(at, "running", { failures: 1 });
  const series = [event(1, "starting"), short(2), failed(3), event(4, "starting"), short(5), failed(6)];
  assert.deepEqual(shape(series), [[2, [1, 2, 3, 4, 5, 6]]]); // prettier-ignore
  assert.deepEqual(shape([...series, event(7, "running"), failed(8)]).at(-1), [2, [1, 2, 3, 4, 5, 6]]); // prettier-ignore
});
