// Keeps the newest messages of all accounts, in order, and counts what was added. Pure.

const MOST = 2000;

/** The newest messages, the oldest first. Each comes once, however often it is told. */
export class Stream {
  constructor() {
    this.rows = [];
    this.known = new Set();
    this.added = 0;
  }

  /** Take an event `channel.message`; returns whether it is new. */
  take(event) {
    const row = rowOf(event);
    if (this.known.has(row.key)) return false;
    this.known.add(row.key);
    this.added += 1;
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].at > row.at) at -= 1;
    this.rows.splice(at, 0, row);
    if (this.rows.length > MOST + 500) {
      for (const old of this.rows.splice(0, 500)) this.known.delete(old.key);
    }
    return true;
  }

  /** Note that messages of an account are missing at a time. */
  gap(account, at) {
    this.take({ account, cursor: `gap:${at}`, direction: "gap", message: { ts: at, text: "Messages are missing here: more came than the gateway still has." } });
  }
}

/** Return what is shown of an event `channel.message`. */
export function rowOf(event) {
  const { account, cursor, direction, message } = event;
  const chat = message.chat?.id ?? message.to ?? "";
  const sender = direction === "in" ? (message.sender?.name ?? message.sender?.id ?? "") : "";
  return {
    key: `${account}/${cursor}`,
    at: message.ts ?? 0,
    account,
    cursor,
    direction,
    chat,
    sender,
    text: message.text || filesOf(message),
    event,
  };
}

function filesOf(message) {
  const files = message.attachments ?? [];
  return files.map((file) => `[${file.name ?? file.kind ?? "file"}]`).join(" ");
}

/** Return whether a row is meant by the words of a search and a direction. */
export function isMeant(row, words, direction) {
  if (direction && row.direction !== direction && row.direction !== "gap") return false;
  if (!words.length) return true;
  const text = `${row.account} ${row.chat} ${row.sender} ${row.text}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
