// Reads lines of the logs of all processes, and chooses among them. Pure.

/** Levels, the worst first; each is shown with all that are worse. */
export const LEVELS = ["critical", "error", "warning", "info", "debug"];

/** Return a line as it is shown: `{id, at, process, level, event, rest, fields}`. */
export function lineOf(text, id) {
  let fields;
  try {
    fields = JSON.parse(text);
  } catch {
    return { id, at: 0, process: "", level: "info", event: text, rest: "", fields: {} };
  }
  const { ts, account = "", event, text: said = "", incarnation, stream, ...others } = fields;
  const { level, text: whole } = event === undefined ? spoken(String(said)) : { level: fields.level, text: String(event) };
  delete others.level;
  const rest = Object.entries(others)
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");
  return { id, at: Date.parse(ts) || 0, process: account, level: level ?? "info", event: whole, rest, fields };
}

const SPOKEN = /^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d )?\[?(debug|info|warning|error|critical)\b\s*\]?\s*/i;

/** Return the level with which a process begins a line on its standard error, and what follows it. */
function spoken(text) {
  const found = SPOKEN.exec(text);
  if (!found) return { level: "info", text };
  return { level: found[1].toLowerCase(), text: text.slice(found[0].length) };
}

/** Return whether a line is meant: as bad as `level`, of a process, with all words of a search. */
export function isLineMeant(line, { level, process, words }) {
  const at = LEVELS.indexOf(line.level);
  if (level && at > LEVELS.indexOf(level)) return false;
  if (process && line.process !== process) return false;
  if (!words.length) return true;
  const text = `${line.process} ${line.event} ${line.rest}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
