// Describes an event of `diagnostics.stability` in a sentence. Pure.

import { count } from "./words.js";

/**
 * Return the events, the newest first, with those of one account and kind as the newest of them, and
 * clients that were refused for the same reason likewise:
 * `{event, times, first}`, how many there were and when the first was.
 */
export function folded(events) {
  const found = new Map();
  for (const event of events.toReversed()) {
    const who = event.account ?? event.agent ?? (event.type === "client.refused" && `for ${event.reason}`);
    const key = who ? `${event.type} ${who}` : event.seq;
    const known = found.get(key);
    const { times = 1, first = event.ts } = event; // those that come often are counted by the gateway
    if (known) Object.assign(known, { times: known.times + times, first: Math.min(known.first, first) });
    else found.set(key, { event, times, first });
  }
  return [...found.values()];
}

/** Return the sentence; the name of the account, where there is one, stands before it. */
export function faultOf({ seq, ts, first, times, type, account, agent, reason, failures, address, ...rest }) {
  const why = reason ? `: ${reason.replaceAll("_", " ").replaceAll("-", " ")}` : "";
  const who = agent ? `${agent} ` : "";
  const often = failures > 1 ? `, ${count(failures, "failure")} in a row` : "";
  if (/^(account|agent)\.backoff$/.test(type)) return `${who}failed, and is tried again${why}${often}`;
  if (/^(account|agent)\.failed$/.test(type)) return `${who}failed${why}${often}`;
  if (type === "message.unsent") return `did not send a message: ${reason}`;
  if (type === "client.refused") return `A client${address ? ` at ${address}` : ""} was refused${why.toLowerCase()}`;
  const more = Object.entries({ agent, reason, failures, address, ...rest }).filter((each) => each[1] !== undefined);
  return `${type} ${more.map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ")}`.trim();
}
