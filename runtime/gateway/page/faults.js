// Says in a sentence what an event of `diagnostics.stability` is. Pure.

import { count } from "./words.js";

/** Return the sentence; the name of the account, where there is one, stands before it. */
export function faultOf({ seq, ts, type, account, agent, reason, failures, device, ...rest }) {
  const why = reason ? `: ${reason.replaceAll("_", " ").replaceAll("-", " ")}` : "";
  const who = agent ? `${agent} ` : "";
  const times = failures > 1 ? `, ${count(failures, "failure")} in a row` : "";
  if (/^(account|agent)\.backoff$/.test(type)) return `${who}failed, and is tried again${why}${times}`;
  if (/^(account|agent)\.failed$/.test(type)) return `${who}failed${why}${times}`;
  if (type === "client.refused") return `A client was refused${why}`;
  if (type === "device.approved") return `The device ${String(device).slice(0, 16)} was let in${why}`;
  const more = Object.entries({ agent, reason, failures, device, ...rest }).filter((each) => each[1] !== undefined);
  return `${type} ${more.map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ")}`.trim();
}
