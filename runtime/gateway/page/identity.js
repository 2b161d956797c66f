// Keeps this browser's device key and the token that the gateway has given it, and signs with it.
//
// The key is an Ed25519 key that cannot be read out: the browser's database keeps it, no script
// gets its bytes. What is signed is the protocol's statement of version 3.

const DATABASE = "trunkline";
const STORE = "identity";
const ENTRY = "device";

/** Why this browser cannot sign in, as a sentence; an empty string when it can. */
export function obstacle() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return (
      "This address is not secure (http beyond this host), so the browser gives the page no keys " +
      "to sign in with. Open it by https (gateway.tls), or through a tunnel from the computer " +
      `that you sit at: ssh -L 18789:127.0.0.1:${location.port || "18789"} HOST, then http://127.0.0.1:18789${location.pathname}`
    );
  }
  return globalThis.indexedDB ? "" : "This browser has no database for its key (private mode?).";
}

/** This browser as a device: `{id, publicKey, token, keys}`. Makes its key at the first use. */
export async function loadDevice() {
  const database = await open();
  const known = await ask(database, "readonly", (store) => store.get(ENTRY));
  if (known) return new Device(database, known);
  let keys;
  try {
    keys = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  } catch {
    throw new Error("This browser cannot sign with Ed25519: use Chrome 137, Firefox 129, Safari 17 or later.");
  }
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
  const id = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const made = { id, publicKey: base64url(raw), keys, token: "" };
  await ask(database, "readwrite", (store) => store.put(made, ENTRY));
  return new Device(database, made);
}

class Device {
  constructor(database, entry) {
    this.database = database;
    this.entry = entry;
  }

  get id() {
    return this.entry.id;
  }

  /** The token that the gateway has given this device; an empty string when there is none. */
  get token() {
    return this.entry.token;
  }

  /** Remember the device's token, or forget it (an empty string). */
  async keepToken(token) {
    if (token === this.entry.token) return;
    this.entry = { ...this.entry, token };
    await ask(this.database, "readwrite", (store) => store.put(this.entry, ENTRY));
  }

  /**
   * Return the `device` of a `connect`: this device's signature over what the connect claims.
   * `challenge` is the gateway's; its clock is the one that counts.
   */
  async prove(challenge, { client, role, scopes, token }) {
    const parts = [
      "v3", this.id, client.id, client.mode, role, scopes.join(","), String(challenge.ts), token,
      challenge.nonce, plain(client.platform), plain(client.deviceFamily ?? ""),
    ]; // prettier-ignore
    const text = new TextEncoder().encode(parts.join("|"));
    const signature = await crypto.subtle.sign("Ed25519", this.entry.keys.privateKey, text);
    return {
      id: this.id,
      publicKey: this.entry.publicKey,
      signature: base64url(new Uint8Array(signature)),
      signedAt: challenge.ts,
      nonce: challenge.nonce,
    };
  }
}

function plain(text) {
  return text.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error(`The browser's database cannot be opened: ${request.error?.message}`));
  });
}

function ask(database, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}
