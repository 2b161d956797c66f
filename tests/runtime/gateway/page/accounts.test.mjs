import assert from "node:assert/strict";
import { test } from "node:test";
import {
  STARTING, folded, isUnwell, matches, next, pastOf, phaseName, phaseOf, tally, toneOf, verbsFor, why, whyInFull, wordsOf, worstFirst,
} from "../../../../runtime/gateway/page/accounts.js"; // prettier-ignore

const row = (more) => ({ account: "irc:a", channel: "irc", phase: "running", failures: 0, health: "ok", ...more });
const DEGRADED = { health: "degraded: not connected", plugin: { connected: false, lastError: "ping timeout" } };

test("the worst comes first, of equal ones those with more failures, then by name", () => {
  const found = [
    row({ account: "irc:stopped", phase: "stopped" }),
    row({ account: "irc:held", phase: "stopped", hold: { at: 1 } }),
    row({ account: "irc:b" }),
    row({ account: "irc:a" }),
    row({ account: "irc:starting", phase: "starting" }),
    row({ account: "irc:unwell", ...DEGRADED }),
    row({ account: "irc:once", phase: "backoff", failures: 1 }),
    row({ account: "irc:often", phase: "backoff", failures: 9 }),
    row({ account: "irc:login", phase: "starting", cause: "linking" }),
    row({ account: "irc:unknown", phase: "stopped", hold: { at: 1, unknown: true } }),
    row({ account: "irc:failed", phase: "failed", cause: "misconfigured" }),
  ];
  assert.deepEqual(
    found.sort(worstFirst()).map((each) => each.account.slice(4)),
    ["failed", "login", "often", "once", "unknown", "unwell", "starting", "held", "a", "b", "stopped"],
  );
});

test("one whose empty list costs messages stands behind those that try again", () => {
  const rows = [
    row({ account: "irc:well" }),
    row({ account: "irc:closed" }),
    row({ account: "irc:held", phase: "stopped", hold: { at: 1 } }),
    row({ account: "irc:unwell", ...DEGRADED }),
    row({ account: "irc:tries", phase: "backoff", failures: 1 }),
  ];
  const closed = new Map([["irc:closed", 2], ["irc:held", 1]]); // prettier-ignore
  assert.deepEqual(
    rows.sort(worstFirst(closed)).map((each) => each.account.slice(4)),
    ["tries", "closed", "unwell", "held", "well"],
  );
});

test("one that answers nobody stands there before it has cost a message", () => {
  const rows = [row({ account: "irc:well" }), row({ account: "irc:closed" })];
  const order = rows.sort(worstFirst(new Map([["irc:closed", 0]])));
  assert.equal(order[0].account, "irc:closed");
});

test("an account that makes its next try is counted as before, and is shown as starting", () => {
  const waits = row({ phase: "backoff", failures: 9, lastError: "Connection refused", nextTryAt: 7 });
  const again = { ...waits, phase: "starting", nextTryAt: null };
  assert.deepEqual(tally([again]), tally([waits]));
  for (const same of [phaseOf, toneOf]) assert.equal(same(again), same(waits));
  assert.ok(worstFirst()(waits, again) === worstFirst()(again, again)); // it keeps its place
  assert.equal(phaseName(again), "starting");
  assert.equal(why(again), "try 10 · last: Connection refused");
  assert.deepEqual(next(again), { text: "tries now", at: null });
  assert.deepEqual(verbsFor(again), ["stop", "reset"]);
  assert.equal(phaseOf(row({ phase: "starting" })), "starting");
  assert.equal(phaseOf(row({ phase: "starting", cause: "linking", failures: 2 })), "login");
});

test("what its configuration keeps stopped is not offered a start, and is enabled there", () => {
  const cases = [
    [{ cause: "disabled" }, "enable it in its configuration"],
    [{ cause: "held", hold: { at: 1 }, enabled: false }, "enable it in its configuration"],
    [{ cause: "unconfigured" }, "complete its configuration"],
  ];
  for (const [more, text] of cases) {
    const it = row({ phase: "stopped", ...more });
    assert.deepEqual([verbsFor(it), next(it)], [[], { text, at: null, there: true }]);
  }
  assert.deepEqual(verbsFor(row({ phase: "stopped", cause: "removed" })), []);
});

test("a phase says whether a person is needed", () => {
  assert.equal(phaseOf(row({ phase: "failed", cause: "needs_login" })), "login");
  assert.equal(phaseOf(row({ phase: "stopped", hold: { at: 1 } })), "held");
  assert.equal(phaseOf(row({ phase: "stopped", cause: "disabled" })), "stopped");
  assert.equal(phaseOf(row({ phase: "starting", cause: "waiting" })), "starting");
});

test("why is said in words, and nothing where all is well", () => {
  const cases = [
    [{}, ""],
    [DEGRADED, "degraded: not connected: ping timeout"],
    [{ draining: true }, "takes nothing new: it stops once what is under way is done"],
    [{ phase: "backoff", lastError: "Connection refused" }, "Connection refused"],
    [{ phase: "backoff", cause: "out_of_memory" }, "out_of_memory"],
    [{ phase: "stopped", hold: { at: 1, reason: "holiday" } }, "stopped by an operator: holiday"],
    [{ phase: "stopped", hold: { at: 1 } }, "stopped by an operator"],
    [{ phase: "stopped", cause: "disabled" }, "disabled in the configuration"],
    [{ phase: "starting", cause: "linking" }, "waits for a person who logs it in"],
    [{ phase: "failed", cause: "needs_login", lastError: "the token is not known" }, "the token is not known"],
  ];
  for (const [more, expected] of cases) assert.equal(why(row(more)), expected);
});

test("what is well now says what has gone wrong before", () => {
  const cases = [
    [{}, ""],
    [{ dropped: {}, possiblyLost: 0, failures: 0 }, ""],
    [{ possiblyLost: null }, ""], // not known
    [{ failures: 2 }, "up again after 2 failures"],
    [{ dropped: { "late answers": 1000, "malformed frames": 200 } }, "1,200 dropped"],
    [{ failures: 1, possiblyLost: 3, dropped: { "late answers": 1 } }, "up again after 1 failure, 3 messages possibly lost, 1 dropped"],
    [{ phase: "backoff", failures: 2, possiblyLost: 3 }, ""], // why it is down counts
  ];
  for (const [more, expected] of cases) assert.equal(pastOf(row(more)), expected);
});

test("beside why stands how often it has failed in a row, where that is more than once", () => {
  const cases = [
    [{ phase: "backoff", lastError: "refused", failures: 10 }, "refused · 10 failures in a row"],
    [{ phase: "backoff", lastError: "refused", failures: 1 }, "refused"],
    [{ phase: "starting", lastError: "refused", failures: 3 }, "try 4 · last: refused"],
    [{ failures: 2 }, ""],
  ];
  for (const [more, expected] of cases) assert.equal(whyInFull(row(more)), expected);
});

test("next says what comes by itself, and when", () => {
  assert.deepEqual(next(row({ phase: "backoff", nextTryAt: 7 })), { text: "tries again", at: 7 });
  assert.deepEqual(next(row({ phase: "backoff", nextTryAt: 7, retry: "asked" })), { text: "again, as asked,", at: 7 });
  assert.deepEqual(next(row({ phase: "failed", nextTryAt: 7 })), { text: "tries slowly", at: 7 });
  assert.deepEqual(next(row({ phase: "failed" })), { text: "needs a person", at: null });
  assert.equal(next(row({ phase: "failed", cause: "needs_login" })).text, "renew login or secret");
  assert.deepEqual(next(row({ phase: "failed", cause: "misconfigured" })), { text: "correct its configuration", at: null, there: true });
  assert.equal(next(row({ health: "degraded: journal full" })).text, "needs room on the disk");
  assert.deepEqual(next(row({})), { text: "", at: null });
});

test("colours and counts follow phase and health", () => {
  const rows = [row({}), row(DEGRADED), row({ phase: "failed" }), row({ phase: "stopped" }), row({ phase: "starting" })];
  assert.deepEqual(rows.map(toneOf), ["ok", "warn", "bad", "idle", "busy"]);
  assert.equal(toneOf(row({ phase: "failed", cause: "needs_login" })), "bad");
  assert.deepEqual(tally(rows), { all: 5, unwell: 1, running: 2, failed: 1, stopped: 1, starting: 1 });
  assert.ok(isUnwell(rows[1]) && !isUnwell(rows[0]));
});

test("a search means what has all its words, wherever they stand", () => {
  const it = row({ account: "irc:libera", name: "Main", agent: "echo", phase: "backoff", lastError: "Connection refused" });
  for (const text of ["", "LIBERA", "irc refused", "main", "echo back"]) assert.ok(matches(it, wordsOf(text)), text);
  for (const text of ["oftc", "irc accepted"]) assert.ok(!matches(it, wordsOf(text)), text);
});

test("only verbs that can do something are offered", () => {
  const cases = [
    [{}, ["stop", "restart", "drain"]],
    [{ failures: 2 }, ["stop", "restart", "drain", "reset"]],
    [{ phase: "stopped" }, ["start"]],
    [{ phase: "backoff", failures: 1 }, ["start", "stop", "reset"]],
    [{ phase: "starting", cause: "linking" }, ["login", "stop"]],
    [{ phase: "failed", cause: "needs_login", failures: 1 }, ["start", "login", "stop", "reset"]],
    [{ phase: "stopping" }, ["stop"]],
  ];
  for (const [more, expected] of cases) assert.deepEqual(verbsFor(row(more)), expected);
});

test("many that start stand in one line, and one that has failed before does not disappear in it", () => {
  const starting = Array.from({ length: 40 }, (_, at) => row({ account: `irc:s${at}`, phase: "starting" }));
  const rows = [
    ...starting,
    row({ account: "irc:again", phase: "starting", failures: 3 }),
    row({ account: "irc:login", phase: "starting", cause: "linking" }),
    row({ account: "irc:bad", phase: "backoff", failures: 2 }),
    row({ account: "irc:well" }),
  ].sort(worstFirst()); // prettier-ignore
  assert.deepEqual(folded(rows), ["irc:login", "irc:again", "irc:bad", STARTING, "irc:well"]);
  assert.deepEqual(folded(starting.slice(0, 3)), ["irc:s0", "irc:s1", "irc:s2"]);
});
