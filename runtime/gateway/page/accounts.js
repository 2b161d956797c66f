// Judges the rows of accounts: which is worst, why it is so, what comes next, which are meant. Pure.

/** The phases as they are shown and counted, the worst first. */
export const PHASES = ["failed", "backoff", "login", "starting", "stopping", "running", "held", "stopped"];

const DEGRADED = "degraded: ";

/** Return the phase under which an account is counted: `login` waits for a person, `held` was stopped by one. */
export function phaseOf(row) {
  if (row.phase === "starting" && row.cause === "linking") return "login";
  if (row.phase === "failed" && row.cause === "needs_login") return "login";
  if (row.phase === "stopped" && row.hold) return "held";
  return row.phase;
}

/** Return whether an account runs and something about it is wrong all the same. */
export function isUnwell(row) {
  return row.phase === "running" && Boolean(row.health?.startsWith(DEGRADED));
}

/** Return `bad`, `warn`, `ok` or `idle`: the colour of an account. */
export function toneOf(row) {
  const phase = phaseOf(row);
  if (phase === "failed" || phase === "login") return "bad";
  if (phase === "backoff" || isUnwell(row)) return "warn";
  if (phase === "running") return "ok";
  return phase === "starting" || phase === "stopping" ? "busy" : "idle";
}

/** Return how bad an account is: 0 is worst. */
export function rank(row) {
  const phase = phaseOf(row);
  if (phase === "running") return isUnwell(row) ? 3 : 6;
  if (phase === "held") return row.hold.unknown ? 2 : 5.5;
  if (phase === "stopped") return 7;
  if (phase === "starting") return row.failures ? 3.5 : 4; // one that has failed is looked for
  return { failed: 0, login: 1, backoff: 2, stopping: 5 }[phase] ?? 8;
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

/** Order rows the worst first: of equal ones those with more failures, then by name. */
export function worstFirst(a, b) {
  return rank(a) - rank(b) || b.failures - a.failures || (a.account < b.account ? -1 : 1);
}

/** Return in words why an account is as it is; an empty string when all is well. */
export function why(row) {
  if (row.phase === "running") {
    if (row.draining) return "takes nothing new: it stops once what is under way is done";
    if (!isUnwell(row)) return "";
    const said = row.plugin?.connected === false ? row.plugin.lastError : null;
    return [row.health.slice(DEGRADED.length), said].filter(Boolean).join(": ");
  }
  if (row.phase === "stopped") {
    if (row.hold?.unknown) return row.hold.reason || "whether a person had stopped it is not known";
    if (row.hold) return `stopped by ${row.hold.by ?? "an operator"}${row.hold.reason ? `: ${row.hold.reason}` : ""}`;
    return CAUSES[row.cause] || row.cause || "";
  }
  if (phaseOf(row) === "login") return row.lastError || "waits for a person who logs it in";
  return row.lastError || CAUSES[row.cause] || row.lastExit || row.cause || "";
}

const CAUSES = {
  disabled: "disabled in the configuration",
  unconfigured: "not configured completely",
  waiting: "waits for what it needs to start",
  finished: "has ended by itself",
  logged_out: "has been logged out",
  removed: "removed from the configuration",
  shutdown: "the daemon is stopping",
};

/** Return what comes next without its time: `{text, at}`; `at` in ms of the epoch or null. */
export function next(row) {
  const at = row.nextTryAt ?? null;
  if (row.phase === "backoff") return { text: row.retry === "asked" ? "again, as asked," : "tries again", at };
  if (row.phase === "failed" && at) return { text: "tries slowly", at };
  if (phaseOf(row) === "login") {
    return { text: row.phase === "failed" ? "renew login or secret" : "log it in", at: null };
  }
  if (row.phase === "failed") return { text: "needs a person", at: null };
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
  const text = `${row.account} ${row.name ?? ""} ${row.agent ?? ""} ${phaseOf(row)} ${why(row)}`.toLowerCase();
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
  if (["stopped", "held", "failed", "backoff"].includes(phase)) verbs.push("start");
  if (phase === "login") verbs.push(...(row.phase === "failed" ? ["start", "login"] : ["login"]));
  if (row.phase !== "stopped") verbs.push("stop");
  if (row.phase === "running") verbs.push("restart", "drain");
  if (row.failures) verbs.push("reset");
  return verbs;
}
