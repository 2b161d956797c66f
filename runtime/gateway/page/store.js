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

const rows = new Map(); // by key: a signal of the row
let ranking = 0;

/** Grows when the order, the choice or the count of accounts may be another. */
export const ranked = signal(0);

/** Whether the first rows are there; until then it is not known whether there are any. */
export const loaded = signal(false);

/** What the last reading of all accounts failed with, or `null`. */
export const failure = signal(null);

/** All keys of accounts, in no order. */
export const keys = computed(() => {
  ranked.value;
  return [...rows.keys()];
});

const longNames = computed(() => keys.value.some(isLong));

/** Return the height of rows on a phone: all have room for a name in three lines where one is long. */
export function tall(height) {
  return height + (longNames.value ? MORE_LINES : 0);
}

/** Return the signal of an account's row; its value is `null` as long as there is no such account. */
export function accountOf(key) {
  if (!rows.has(key)) return absent;
  return rows.get(key);
}
const absent = signal(null);

/** Return the rows of all accounts as they are now, without following them. */
export function allRows() {
  return [...rows.values()].map((row) => row.peek());
}

/** Read all accounts anew. */
export async function reload() {
  try {
    const { accounts } = await client.request("status");
    const present = new Set(accounts.map((row) => row.account));
    for (const key of rows.keys()) if (!present.has(key)) rows.delete(key);
    accounts.forEach(take);
    failure.value = null;
    loaded.value = true;
    ranked.value += 1;
  } catch (error) {
    failure.value = error;
  }
}

function take(row) {
  const known = rows.get(row.account);
  if (!known) {
    rows.set(row.account, signal(row));
    rankSoon();
    return;
  }
  const before = known.peek();
  known.value = row;
  if (before.failures !== row.failures || phaseOf(before) !== phaseOf(row) || why(before) !== why(row)) rankSoon();
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
  rows.delete(account);
  rankSoon();
});
client.need({ events: ["channel.status", "channel.removed", "channel.login"] });
// The session does not wait for this module. After the subscription, so that no change is missed.
queueMicrotask(() => client.connection.peek().state === "open" && reload());
