// Reads lines of the logs of all processes, and chooses among them. Pure.

import { bytes } from "./words.js";

/** Levels, the worst first; each is shown with all that are worse. */
export const LEVELS = ["critical", "error", "warning", "info", "debug"];

/**
 * Return a line as it is shown: `{id, at, process, level, event, rest, fields}`. `streams` is kept from
 * line to line: by it one that states no level has that of the line which it continues.
 */
export function lineOf(text, id, streams = new Map()) {
  let fields;
  try {
    fields = JSON.parse(text);
  } catch {
    return { id, at: 0, process: "", level: "info", event: text, rest: "", fields: {} };
  }
  const { ts, account = "", event, text: said = "", incarnation, stream, ...others } = fields;
  const { level, text: whole } = event === undefined ? spoken(String(said)) : { level: fields.level, text: String(event) };
  const place = `${account} ${stream}`;
  const state = level || event !== undefined ? { level } : continued(whole, streams.get(place));
  streams.set(place, state);
  delete others.level;
  const rest = Object.entries(others)
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");
  return { id, at: Date.parse(ts) || 0, process: account, level: state.level ?? "info", event: whole, rest, fields };
}

const SPOKEN = /^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d )?\[?(debug|info|warning|error|critical)\b\s*\]?\s*/i;

/** Return the level with which a process begins a line on its standard error, and what follows it. */
function spoken(text) {
  const found = SPOKEN.exec(text);
  if (!found) return { text };
  return { level: found[1].toLowerCase(), text: text.slice(found[0].length) };
}

const TRACEBACK = /Traceback \(most recent call last\):$/;
const BETWEEN = /^(During handling of the above exception|The above exception was the direct cause)/;

/**
 * Return the level of a line that states none, after the line `before` of its stream. Lines that are
 * indented, empty, or a count of its repetitions, continue that one. A traceback is an error to its
 * end, which is its first line without indent.
 */
function continued(text, before = {}) {
  if (TRACEBACK.test(text)) return { level: "error", open: !text.includes("Exception Group") };
  if (/^(\s|$|\(the same )/.test(text)) return before;
  return before.open || BETWEEN.test(text) ? { level: "error" } : {};
}

/** Return what stands in a log for lines that an answer of `logs.tail` could not bring; an empty text where there are none. */
export function missedOf({ skippedBytes, reset }) {
  const why = skippedBytes ? `${bytes(skippedBytes)} of log came faster than they could be read here` : reset ? "The daemon has been started anew, and the log with it" : "";
  return why && `${why}: lines may be missing here; the files have them.`;
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
