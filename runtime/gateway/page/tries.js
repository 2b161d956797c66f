// Reads the history of an account: since when it is down, which tries are the same one again. Pure.

/** Return since when an account is down: the end of its last run, or its oldest event; else `null`. */
export function downSince(events) {
  const changes = events.filter((event) => !event.note);
  if (!changes.length || changes.at(-1).phase === "running") return null;
  const ran = changes.findLastIndex((event) => event.phase === "running");
  return Math.max(begin(changes.slice(ran + 1)), changes[ran]?.at ?? 0);
}

/** Return when the first of some events was; one of them may stand for several. */
export function begin(events) {
  return Math.min(...events.map((event) => event.first ?? event.at));
}

/**
 * Return the events, the newest first, in groups: `{events, tries}`. Tries in a row that failed for the
 * same reason are one group, with their number; every other event is one by itself (`tries` 0).
 */
export function groupsOf(events) {
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (last && isTry(event) && last.events.every(isTry) && agrees(last, event)) last.events.push(event);
    else groups.push({ events: [event] });
  }
  return groups.flatMap(counted).reverse();
}

/**
 * Return whether an event is part of a try that nobody asked for: its begin, how it ended, or that it
 * ran too shortly for its failures to be forgotten.
 */
function isTry(event) {
  const ran = event.phase === "running" && event.failures > 0;
  return !event.note && !event.by && (ran || event.phase === "starting" || event.phase === "backoff");
}

function agrees({ events }, event) {
  const before = events.findLast((each) => each.phase === "backoff");
  return event.phase !== "backoff" || !before || saidOf(before) === saidOf(event);
}

/** Return in words how a try has ended. */
export function saidOf(event) {
  return [...new Set([event.text ?? event.cause, event.exit])].filter(Boolean).join(" \u00b7 ");
}

/** What has failed once only is no series, and neither is the try that is being made. */
function counted({ events }) {
  const end = events.findLastIndex((event) => event.phase === "backoff") + 1;
  const failed = events.slice(0, end).filter((event) => event.phase === "backoff");
  const tries = failed.reduce((sum, event) => sum + (event.times ?? 1), 0);
  if (tries < 2) return events.map(alone);
  return [{ events: events.slice(0, end), tries }, ...events.slice(end).map(alone)];
}

function alone(event) {
  return { events: [event], tries: 0 };
}
