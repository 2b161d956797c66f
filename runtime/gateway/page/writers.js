// Finds who has written to an account lately, in `messages.recent`. Pure.

const MOST = 20; // people who are asked about

/** Return the accounts at which somebody waits, each once. */
export function accountsOf(requests) {
  return [...new Set(requests.map(({ channel, accountId }) => `${channel}:${accountId}`))].sort();
}

/** Return the text of the newest message of somebody who waits; `messages` have the newest first. */
export function saidBy(messages, { channel, accountId, senderId }) {
  const isTheirs = ({ account, direction, message }) => direction === "in" && account === `${channel}:${accountId}` && message.sender?.id === senderId && message.chat?.kind === "direct";
  return messages.find(isTheirs)?.message.text ?? "";
}

/**
 * Return who has written to an account, the newest first and each once in each chat:
 * `{id, name, at, chat, verified, addressed, guild, roles}`, where `chat` is empty in a direct one.
 */
export function writersOf(messages) {
  const found = new Map();
  for (const { direction, message } of messages) {
    if (direction !== "in" || !message.sender?.id || message.sender.bot || message.meta?.history || message.edits) continue; // no list decides about those
    const { id, name, verified } = message.sender;
    const chat = message.chat?.kind === "direct" ? "" : (message.chat?.id ?? "");
    const key = JSON.stringify([id, chat]);
    if (found.has(key) || found.size >= MOST) continue;
    const { guild, roles } = message.meta ?? {};
    found.set(key, { id, name: name && name !== id ? name : "", at: message.ts, chat, verified: Boolean(verified), addressed: Boolean(message.addressed), guild, roles });
  }
  return [...found.values()];
}

/** Return the answer of `channels.why` for how somebody has written: vouched for or not, naming the account or not. */
export function caseOf(cases, { chat, verified, addressed }) {
  return cases.find((each) => each.verified === verified && (!chat || each.addressed === addressed));
}

/**
 * Return the list of a form, and what is to stand there, that lets somebody in; nothing where that
 * takes more than a line. `found` is what `channels.why` says.
 */
export function doorOf({ id, chat, verified, guild }, { reason, configured }) {
  const sender = verified ? id : `unverified:${id}`;
  if (reason === "dm-not-listed") return { list: "allowFrom", line: sender };
  if (reason === "sender-not-listed" && configured.endsWith("groupAllowFrom")) return { list: "groupAllowFrom", line: sender };
  if (reason === "group-not-listed" && !guild) return { list: "groups", line: chat };
  return null;
}
