// Keeps what waits for a person beside the accounts' phases: messages given up, strangers, empty lists.

import { signal } from "./libraries/signals.js";
import { client } from "./session.js";

const AGAIN_MS = 20_000; // of it only the configuration comes as an event

/** What the gateway answered last: `{deadLetters, pairing, closed}`, or `null`. */
export const attention = signal(null);

/** What an operator is warned of, in sentences, as `trunkline status` shows it. */
export const warnings = signal([]);

/** Ask anew: something of it has just been decided. */
export async function lookAgain() {
  lookForWarnings();
  try {
    const found = await client.request("attention");
    if (JSON.stringify(found) !== JSON.stringify(attention.peek())) attention.value = found;
  } catch {
    // Asked again in a while: what is known stays until then.
  }
}

async function lookForWarnings() {
  try {
    const found = (await client.request("supervisor.warnings")).warnings;
    if (found.join("\n") !== warnings.peek().join("\n")) warnings.value = found;
  } catch {
    // Asked again in a while.
  }
}

/** Return what stands at a page in the navigation, `{number, title}`, or `null` where nothing waits. */
export function waitingAt(page, found = attention.value) {
  if (!found) return null;
  if (page === "messages") {
    const { count, states } = found.deadLetters;
    const parts = [[states.unknown, "perhaps sent"], [count - (states.unknown ?? 0), "given up"]];
    return count ? { number: count, title: `messages that wait for your decision: ${said(parts)}` } : null;
  }
  if (page === "people") {
    const number = found.pairing + found.closed.length;
    const costly = found.closed.filter(({ messages }) => messages).length;
    const parts = [[found.pairing, "waiting to be let in"], [costly, "with an empty list that has cost messages"], [found.closed.length - costly, "that answer nobody: a list is empty"]];
    return number ? { number, title: said(parts) } : null;
  }
  return null;
}

function said(parts) {
  return parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`).join(", ");
}

client.on("client.opened", lookAgain);
// Twice, as what is new in the configuration is reported a little later.
client.on("config.changed", () => (lookAgain(), setTimeout(lookAgain, 1000)));
if (client.connection.peek().state === "open") lookAgain();
setInterval(() => !document.hidden && client.connection.peek().state === "open" && lookAgain(), AGAIN_MS);
document.addEventListener("visibilitychange", () => !document.hidden && client.connection.peek().state === "open" && lookAgain());
