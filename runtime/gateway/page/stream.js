// Keeps the newest messages of all accounts, in order, and counts what was added. Pure.

const MOST = 2000;
const MANY = 100; // messages a second
const FEW = 40;

/** The newest messages, the oldest first. Each comes once, however often it is told. */
export class Stream {
  constructor() {
    this.rows = [];
    this.known = new Set();
    this.added = 0;
  }

  /** Take an event `channel.message`; returns whether it is new. */
  take(event) {
    const key = keyOf(event);
    if (this.known.has(key)) return false;
    const row = rowOf(event);
    this.known.add(key);
    this.added += 1;
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].at > row.at) at -= 1;
    this.rows.splice(at, 0, row);
    if (this.rows.length > MOST + 500) {
      for (const old of this.rows.splice(0, 500)) this.known.delete(old.key);
    }
    return true;
  }

  /** Take messages as `messages.recent` answers them, the newest first; returns how many are new. */
  takeAll(messages) {
    return messages.toReversed().filter((event) => this.take(event)).length;
  }

  /**
   * Take an answer of `messages.recent`; returns how many messages are new. If all are, and there
   * are older ones in the gateway, a gap is noted before them.
   */
  takeBatch({ messages, more }) {
    const any = this.rows.length > 0;
    const came = this.takeAll(messages);
    if (any && more && came && came === messages.length) {
      const { cursor, message } = messages.at(-1);
      this._gap("", (message.ts ?? 0) - 1, cursor, "more came than are read at once");
    }
    return came;
  }

  /** Note that messages of an account are missing at a time. */
  gap(account, at) {
    this._gap(account, at, at, "more came than the gateway still has");
  }

  _gap(account, at, name, why) {
    this.take({ account, cursor: `gap:${name}`, direction: "gap", message: { ts: at, text: `Messages are missing here: ${why}.` } });
  }
}

/** Return whether messages are many: from 100 a second on, until there are fewer than 40. */
export function areMany(before, perSecond) {
  return perSecond >= (before ? FEW : MANY);
}

/** Return what is shown of an event `channel.message`. */
export function rowOf(event) {
  const { account, cursor, direction, message } = event;
  const chat = message.chat?.id ?? message.to ?? "";
  const sender = direction === "in" ? (message.sender?.name ?? message.sender?.id ?? "") : "";
  return {
    key: keyOf(event),
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

function keyOf({ account, cursor }) {
  return `${account}/${cursor}`;
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
