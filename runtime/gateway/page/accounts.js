// Compares and describes the rows of accounts: which is worst, why, what comes next, which match. Pure.

import { count, grouped } from "./words.js";

/** The phases as they are shown and counted, the worst first. */
export const PHASES = ["failed", "login", "backoff", "starting", "stopping", "running", "held", "stopped"];

const DEGRADED = "degraded: ";
const FULL = "journal full";

/**
 * Return the phase under which an account is counted: `login` waits for a person, `held` was stopped
 * by one, `backoff` is also what makes its next try at the moment: it is no better for that.
 */
export function phaseOf(row) {
  if (row.phase === "starting" && row.cause === "linking") return "login";
  if (row.phase === "failed" && row.cause === "needs_login") return "login";
  if (row.phase === "stopped" && row.hold) return "held";
  return tries(row) ? "backoff" : row.phase;
}

/** Return whether an account that has failed starts again. */
function tries(row) {
  return row.phase === "starting" && row.cause !== "linking" && row.failures > 0;
}

/** Return the phase as it is shown: that of a try is `starting`; what waits for a login says so. */
export function phaseName(row) {
  return tries(row) ? "starting" : named(phaseOf(row));
}

/** Return the words for a phase as it is counted. */
export function named(phase) {
  return phase === "login" ? "needs login" : phase;
}

/** Return whether an account runs and something about it is wrong all the same. */
export function isUnwell(row) {
  return row.phase === "running" && Boolean(row.health?.startsWith(DEGRADED));
}

const LINE = 26; // characters of a name that have room in a line on a phone

/** Return whether the name of an account is longer than a line on a phone. */
export function isLong(key) {
  return key.length > LINE;
}

/** Return the class of a cell that names an account: a long name is written smaller on a phone. */
export function whoClass(key) {
  return isLong(key) ? "who long" : "who";
}

/** Return `bad`, `warn`, `ok` or `idle`: the colour of an account. */
export function toneOf(row) {
  const phase = phaseOf(row);
  if (phase === "failed" || phase === "login") return "bad";
  if (phase === "backoff" || isUnwell(row)) return "warn";
  if (phase === "running") return "ok";
  return phase === "starting" || phase === "stopping" ? "busy" : "idle";
}

/** Return how bad an account is: 0 is worst. `lost` is how many messages an empty list has cost, if it has one. */
function rank(row, lost) {
  const own = rankOfPhase(row);
  return lost !== undefined && row.phase !== "stopped" ? Math.min(own, 2.5) : own;
}

function rankOfPhase(row) {
  const phase = phaseOf(row);
  if (phase === "running") return isUnwell(row) ? 3 : 6;
  if (phase === "held") return row.hold.unknown ? 2 : 5.5;
  if (phase === "stopped") return 7;
  return { failed: 0, login: 1, backoff: 2, starting: 4, stopping: 5 }[phase] ?? 8;
}

const FEW = 12; // accounts that start are shown one by one

/** Stands in a list for all accounts that start and of which nothing bad is known. */
export const STARTING = "starting";

/**
 * Return the keys of rows that are in order, with those that merely start as one, `STARTING`, where
 * they are many: after a restart of everything they would push all others out of sight.
 */
export function folded(rows) {
  const plain = (row) => row.phase === "starting" && !row.failures && phaseOf(row) === "starting";
  if (rows.filter(plain).length <= FEW) return rows.map((row) => row.account);
  const keys = [];
  for (const row of rows) {
    if (!plain(row)) keys.push(row.account);
    else if (!keys.includes(STARTING)) keys.push(STARTING);
  }
  return keys;
}

/**
 * Return what orders rows the worst first: of equal ones those with more failures, then by name.
 * `closed` says by key how many messages an empty list has cost.
 */
export function worstFirst(closed = new Map()) {
  const of = (row) => rank(row, closed.get(row.account));
  return (a, b) => of(a) - of(b) || b.failures - a.failures || (a.account < b.account ? -1 : 1);
}

/** Return in words why an account is as it is; an empty string when all is well. */
export function why(row) {
  if (row.phase === "running") {
    if (row.draining) return "takes nothing new: it stops once what is under way is done";
    if (!isUnwell(row)) return "";
    const said = row.plugin?.connected === false ? row.plugin.lastError : null;
    return [row.health, said].filter(Boolean).join(": ");
  }
  if (row.phase === "stopped") {
    if (row.hold?.unknown) return row.hold.reason || "whether a person had stopped it is not known";
    if (row.hold) return `stopped by ${row.hold.by ?? "an operator"}${row.hold.reason ? `: ${row.hold.reason}` : ""}`;
    return CAUSES[row.cause] || row.cause || "";
  }
  if (phaseOf(row) === "login") return row.lastError || "waits for a person who logs it in";
  const last = row.lastError || CAUSES[row.cause] || row.lastExit || row.cause || "";
  return tries(row) ? [`try ${row.failures + 1}`, last && `last: ${last}`].filter(Boolean).join(" · ") : last;
}

/** Return the same with how often it has failed in a row, where the next try does not say it. */
export function whyInFull(row) {
  const often = row.failures > 1 && (row.phase === "backoff" || row.phase === "failed") ? `${row.failures} failures in a row` : "";
  return [why(row), often].filter(Boolean).join(" · ");
}

/** Return what has gone wrong at an account that is up and well now; an empty string where nothing has. */
export function pastOf(row) {
  if (row.phase !== "running") return "";
  const dropped = Object.values(row.dropped ?? {}).reduce((sum, each) => sum + each, 0);
  return [
    row.failures ? `up again after ${count(row.failures, "failure")}` : "",
    row.possiblyLost ? `${count(row.possiblyLost, "message")} possibly lost` : "",
    dropped ? `${grouped(dropped)} dropped` : "",
  ].filter(Boolean).join(", ");
}

/** Return by which cause the configuration keeps an account stopped: no start changes that. */
function keptBy(row) {
  if (row.phase !== "stopped") return null;
  if (row.cause === "removed") return "removed";
  if (row.enabled === false || row.cause === "disabled") return "disabled";
  return row.configured === false || row.cause === "unconfigured" ? "unconfigured" : null;
}

const TODO = { disabled: "enable it in its configuration", unconfigured: "complete its configuration" };

const CAUSES = {
  disabled: "disabled in the configuration",
  unconfigured: "not configured completely",
  waiting: "waits for what it needs to start",
  finished: "has ended by itself",
  logged_out: "has been logged out",
  removed: "removed from the configuration",
  shutdown: "the daemon is stopping",
};

/**
 * Return what comes next without its time: `{text, at}`; `at` in ms of the epoch or null. `there` is
 * true where a person does it in the account's configuration.
 */
export function next(row) {
  const at = row.nextTryAt ?? null;
  if (tries(row)) return { text: "tries now", at: null };
  if (TODO[keptBy(row)]) return { text: TODO[keptBy(row)], at: null, there: true };
  if (row.phase === "backoff") return { text: row.retry === "asked" ? "again, as asked," : "tries again", at };
  if (row.phase === "failed" && at) return { text: "tries slowly", at };
  if (phaseOf(row) === "login") {
    return row.phase === "failed" ? { text: "renew login or secret", at: null, there: true } : { text: "log it in", at: null };
  }
  if (row.phase === "failed") return row.cause === "misconfigured" ? { text: "correct its configuration", at: null, there: true } : { text: "needs a person", at: null };
  if (isUnwell(row) && row.health.includes(FULL)) return { text: "needs room on the disk", at: null };
  if (phaseOf(row) === "held") return { text: "nothing until it is started", at: null };
  return { text: "", at: null };
}

/** Return how many accounts are in each phase, `unwell` and `all` beside them. */
export function tally(rows) {
  const found = { all: 0, unwell: 0 };
  for (const row of rows) {
    const phase = phaseOf(row);
    found[phase] = (found[phase] ?? 0) + 1;
    found.all += 1;
    if (isUnwell(row)) found.unwell += 1;
  }
  return found;
}

/**
 * Return whether an account is meant by a search: each word stands in its key, its name, its agent,
 * its phase or why it is so.
 */
export function matches(row, words) {
  if (!words.length) return true;
  const text = `${row.account} ${row.name ?? ""} ${row.agent ?? ""} ${phaseName(row)} ${why(row)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Return the words of a search. */
export function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

/** Return since when an account is up, or `null`. */
export function upSince(row) {
  return row.phase === "running" || row.phase === "stopping" ? (row.readyAt ?? row.startedAt ?? null) : null;
}

/**
 * Return which verbs can do something for an account: `start`, `stop`, `restart`, `reset`, `drain`,
 * `login`.
 */
export function verbsFor(row) {
  const phase = phaseOf(row);
  const verbs = [];
  const startable = ["stopped", "held", "failed", "backoff"].includes(phase) && !tries(row);
  if (startable && !keptBy(row)) verbs.push("start");
  if (phase === "login") verbs.push(...(row.phase === "failed" ? ["start", "login"] : ["login"]));
  if (row.phase !== "stopped") verbs.push("stop");
  if (row.phase === "running") verbs.push("restart", "drain");
  if (row.failures) verbs.push("reset");
  return verbs;
}
