// Describes what has become of a message so far, and whether that may still change. Pure.

const YOUNG_MS = 60_000;
const STILL_MS = 2500; // longer than between two batches of a busy stream
const OPEN = new Set(["waiting", "running", "sending"]);
const EARLY = new Set(["none", "silent"]); // also what is answered before it is decided, or stored

/** Return how `messages.outcomes` names the message of a row, or `null` where it cannot be asked for. */
export function nameOf({ direction, account, cursor, event }) {
  if (direction === "in") return { account, cursor, ...(event.message.id ? { id: String(event.message.id).slice(0, 512) } : {}) };
  const key = direction === "out" && event.message.key;
  return key ? { account, key } : null;
}

/** Return whether what has become of a message is not known yet, or may change. */
export function isOpen(row, found, now) {
  if (!found) return nameOf(row) !== null;
  return OPEN.has(found.outcome) || (EARLY.has(found.outcome) && now - row.at < YOUNG_MS);
}

/**
 * Return whether a person can read rows in sight, so that it is worth to ask what became of them: some
 * were there `before`, or all have been since a while. Where many come at once, none has.
 */
export function canBeRead({ rows, before, since }, now) {
  const known = new Set(before.map(({ key }) => key));
  return !before.length || rows.some(({ key }) => known.has(key)) || now - since > STILL_MS;
}

const SAID = {
  none: ["no run", "faint"],
  dropped: ["not answered", "warn"],
  waiting: ["waits for its agent", "busy"],
  running: ["its agent answers", "busy"],
  sending: ["being sent", "busy"],
  answered: ["answered", "ok"],
  silent: ["no answer", "faint"],
  sent: ["sent", "ok"],
  unknown: ["perhaps sent", "warn"],
  failed: ["failed", "bad"],
  aborted: ["stopped", "faint"],
};

/** Return what stands beside a message: `{text, tone}`. `found` is an answer of `messages.outcomes`. */
export function saidOf(direction, found) {
  if (direction === "gap") return { text: "", tone: "" };
  if (!found) return direction === "out" ? { text: "sent", tone: "ok" } : { text: "", tone: "" };
  const [said, tone] = SAID[found.outcome] ?? [found.outcome, "faint"];
  const by = found.outcome === "answered" ? ` by ${found.agentId}` : found.outcome === "sent" && found.agentId ? `, answer of ${found.agentId}` : "";
  return { text: `${said}${by}${found.text ? `: ${found.text}` : ""}`, tone };
}
