// Keeps the rows of all accounts, one signal each, as the gateway reports them.
//
// A change of one account draws that account's row again and nothing else. `ranked` changes when
// something does by which accounts are sorted, chosen or counted, at most four times a second.

import { isLong, phaseOf, why } from "./accounts.js";
import { computed, signal } from "./libraries/signals.js";
import { client } from "./session.js";

const RANK_MS = 250;
const AGAIN_MS = 1500;
const MORE_LINES = 26; // pixels

const rows = new Map(); // by key: a signal of the row; `null` where there is no such account (any more)
let ranking = 0;
let reading = null; // the reading that is under way
let again = 0; // the timer of the next one, where that has failed

/** Grows when the order, the choice or the count of accounts may be another. */
export const ranked = signal(0);

/** Whether the first rows are there; until then it is not known whether there are any. */
export const loaded = signal(false);

/** What the last reading of all accounts, or following them, failed with; or `null`. */
export const failure = computed(() => unread.value ?? unheard.value);
const unread = signal(null);
const unheard = signal(null);

/** All keys of accounts, in no order. */
export const keys = computed(() => {
  ranked.value;
  return allRows().map((row) => row.account);
});

const longNames = computed(() => keys.value.some(isLong));

/** Return the height of rows on a phone: all have room for a name in three lines where one is long. */
export function tall(height) {
  return height + (longNames.value ? MORE_LINES : 0);
}

/** Return the signal of an account's row; its value is `null` as long as there is no such account. */
export function accountOf(key) {
  if (!rows.has(key)) rows.set(key, signal(null));
  return rows.get(key);
}

/** Return the rows of all accounts as they are now, without following them. */
export function allRows() {
  return [...rows.values()].map((row) => row.peek()).filter(Boolean);
}

/** Read all accounts anew; where the gateway says that it may answer later, again until it does. */
export function reload() {
  clearTimeout(again);
  return (reading ??= read().finally(() => (reading = null)));
}

async function read() {
  try {
    const { accounts } = await client.request("status");
    const present = new Set(accounts.map((row) => row.account));
    for (const [key, row] of rows) if (!present.has(key)) row.value = null;
    accounts.forEach(take);
    unread.value = null;
    loaded.value = true;
    ranked.value += 1;
  } catch (error) {
    unread.value = error;
    if (error.retryable) again = setTimeout(reload, Math.max(AGAIN_MS, error.retryAfterMs));
  }
}

function take(row) {
  const known = accountOf(row.account);
  const before = known.peek();
  known.value = row;
  if (!before || before.failures !== row.failures || phaseOf(before) !== phaseOf(row) || why(before) !== why(row)) rankSoon();
}

function rankSoon() {
  if (ranking) return;
  ranking = setTimeout(() => {
    ranking = 0;
    ranked.value += 1;
  }, RANK_MS);
}

client.on("client.opened", reload);
client.on("channel.status", take);
client.on("channel.removed", ({ account }) => {
  accountOf(account).value = null;
  rankSoon();
});
client.on("client.unsubscribed", (error) => (unheard.value = error));
client.on("client.subscribed", () => {
  unheard.value = null;
  reload();
});
client.need({ events: ["channel.status", "channel.removed", "channel.login"] });
// The session does not wait for this module. After the subscription, so that no change is missed.
queueMicrotask(() => client.connection.peek().state === "open" && reload());
