// Speaks the gateway's WebSocket protocol: one session after another, requests, subscriptions.
//
// A request that is made while no session is open waits for the next one. One that was on its way
// when the session ended is made again where the gateway says that this does no harm, else it
// fails with `maybeExecuted`. What the page wants to hear is asked for anew in each session, with
// the cursors of what was seen last, so that nothing is missed over a restart of the gateway.

import { signal } from "./libraries/signals.js";

const WAITS = [150, 350, 750, 1500, 3000, 6000, 12000, 24000, 30000]; // milliseconds
const REQUEST_MS = 30_000;
const OPEN_MS = 20_000; // a browser itself waits two minutes for what does not answer at all
const LOOK_MS = 5_000;
const STEADY_MS = 3_000; // a session that ends sooner counts as a try that failed: else one followed the other without a pause
const BRIEF = 4; // so many at most, as a gateway is there
const AGAIN_MS = 3_000; // after a subscription that was refused
// Pieces of what browsers say of themselves: each has those of the ones after it, too.
const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]];
const SUBSCRIBE = "events.subscribe";
const CLOSE_ENDED = 4000; // ours: the page itself ends a session
export const CLIENT = {
  id: "openclaw-control-ui",
  version: "1",
  platform: "browser",
  mode: "ui",
  displayName: `Console${browserOf(globalThis.navigator?.userAgent ?? "")}`,
};

/** Return in which browser and on which system the page runs: ` in Firefox on Linux`. Pure. */
export function browserOf(agent) {
  const named = (names) => names.find(([word]) => agent.includes(word))?.[1] ?? "";
  const browser = named(BROWSERS);
  const system = named(SYSTEMS);
  return (browser && ` in ${browser}`) + (system && ` on ${system}`);
}

/** What the gateway has answered instead of a result, or why no answer came. */
export class GatewayError extends Error {
  constructor({ code = "UNAVAILABLE", message, details = {}, retryable = false, retryAfterMs = 0 }) {
    super(message);
    this.code = code;
    this.details = details ?? {};
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.maybeExecuted = Boolean(this.details.maybeExecuted);
  }
}

/**
 * A client of one gateway.
 *
 * `connection` is a signal: `{state, hello, error, retryAt}` with the states `idle`, `connecting`,
 * `open`, `waiting` (until `retryAt`), `refused` (a person must do something) and `closed`.
 */
export class Client {
  /**
   * @param {string} url the gateway's address (`ws:` or `wss:`)
   * @param {(challenge: object) => Promise<{scopes: string[], auth: object, device?: object}>} credentials
   * @param {(hello: object) => void} [onHello]
   */
  constructor(url, credentials, onHello = () => {}) {
    this.url = url;
    this.credentials = credentials;
    this.onHello = onHello;
    this.connection = signal({ state: "idle" });
    this.handlers = new Map(); // event -> set of functions
    this.needs = new Set(); // what the page wants to hear
    this.cursors = {}; // by account: the newest that was seen
    this.subscribed = ""; // what this session is subscribed to, as text
    this.requests = new Map(); // by id: those that wait for an answer
    this.failures = 0;
    this.number = 0;
    addEventListener("online", () => this.connection.peek().state === "waiting" && this.open());
  }

  /** Open a session, unless there is one; go on doing so until `close`. */
  open() {
    clearTimeout(this.timer);
    if (this.socket) return;
    this._set({ state: "connecting", error: this.connection.peek().error });
    const socket = (this.socket = new WebSocket(this.url));
    this.heard = Date.now();
    this.opening = setTimeout(() => this._silent(`nothing has answered for ${OPEN_MS / 1000} s`), OPEN_MS);
    socket.onmessage = (message) => this._receive(socket, message.data);
    socket.onclose = (end) => this._lost(socket, end.code, end.reason);
  }

  /** End the session and open no other one. */
  close() {
    clearTimeout(this.timer);
    this._drop();
    this._set({ state: "closed" });
  }

  /** Return a second client with the same credentials, for a stream of its own. */
  beside() {
    return new Client(this.url, this.credentials);
  }

  /**
   * Make a request; resolves with the answer's payload, rejects with `GatewayError`.
   * `timeout` is in milliseconds. `onAccepted` gets a first answer `accepted`, after which
   * another one comes (`agent`).
   */
  request(method, params = {}, { timeout = REQUEST_MS, onAccepted = null } = {}) {
    return new Promise((resolve, reject) => {
      const id = `c${++this.number}`;
      const request = { id, method, params, resolve, reject, onAccepted, sent: false };
      request.timer = setTimeout(() => {
        this.requests.delete(id);
        const time = `${Math.round(timeout / 1000)} s`;
        const doubt = this._mayRepeat(request) ? "" : "; it may have been carried out";
        const text = request.sent ? `${method} has not been answered within ${time}${doubt}` : `${method} was not sent: there was no connection for ${time}`;
        reject(new GatewayError({ message: text, details: { maybeExecuted: request.sent } }));
      }, timeout);
      this.requests.set(id, request);
      if (this.connection.peek().state === "open") this._send(request);
    });
  }

  /** Call `handler(payload)` for each event of a name; returns the function that ends it. */
  on(event, handler) {
    if (!this.handlers.has(event)) this.handlers.set(event, new Set());
    this.handlers.get(event).add(handler);
    return () => this.handlers.get(event).delete(handler);
  }

  /**
   * Ask for events of ours until the function that is returned is called.
   *
   * One session has one subscription: what all callers need together. `accounts` absent means
   * all; `events` are names such as `channel.status`; `runs` are session keys whose `chat` and
   * `agent` events are wanted, or `true`; `figures: {everyMs}` and `health: true` ask for those.
   */
  need(what) {
    this.needs.add(what);
    this._subscribeSoon();
    return () => {
      this.needs.delete(what);
      this._subscribeSoon();
    };
  }

  _set(connection) {
    this.connection.value = connection;
  }

  _send(request) {
    request.sent = true;
    const { id, method, params } = request;
    this.socket.send(JSON.stringify({ type: "req", id, method, params }));
  }

  _receive(socket, text) {
    if (socket !== this.socket) return;
    this.heard = Date.now();
    const frame = JSON.parse(text);
    if (frame.type === "res") this._answered(frame);
    else if (frame.event === "connect.challenge") this._connect(socket, frame.payload);
    else if (frame.type === "event") this._happened(frame.event, frame.payload);
  }

  async _connect(socket, challenge) {
    let given;
    try {
      given = await this.credentials(challenge);
    } catch (error) {
      if (socket === this.socket) this._refused(new GatewayError({ code: "LOCAL", message: error.message }));
      return;
    }
    if (socket !== this.socket) return;
    const params = {
      minProtocol: 4, maxProtocol: 4, client: CLIENT, role: "operator",
      caps: ["repeatable-methods"], ...given,
    }; // prettier-ignore
    socket.send(JSON.stringify({ type: "req", id: "connect", method: "connect", params }));
  }

  _answered(frame) {
    if (frame.id === "connect") {
      if (frame.ok) this._opened(frame.payload);
      else this._refused(new GatewayError(frame.error));
      return;
    }
    const request = this.requests.get(frame.id);
    if (!request) return;
    if (frame.ok && request.onAccepted && frame.payload?.status === "accepted") {
      request.onAccepted(frame.payload);
      return;
    }
    clearTimeout(request.timer);
    this.requests.delete(frame.id);
    if (frame.ok) request.resolve(frame.payload);
    else request.reject(new GatewayError(frame.error));
  }

  _opened(hello) {
    clearTimeout(this.opening);
    this.openedAt = Date.now();
    this.subscribed = "";
    const { always = [], withKey = [] } = hello.features?.repeatable ?? {};
    this.repeatable = new Set(always);
    this.keyed = new Set(withKey);
    this._set({ state: "open", hello });
    this.onHello(hello);
    const tick = hello.policy?.tickIntervalMs ?? 30_000;
    clearInterval(this.watch);
    this.watch = setInterval(() => {
      if (Date.now() - this.heard > 2 * tick + 5_000) this._silent("the gateway has sent nothing for a while");
    }, LOOK_MS);
    this._subscribe();
    for (const request of this.requests.values()) request.sent || this._send(request);
    this._happened("client.opened", hello);
  }

  _refused(error) {
    this._drop();
    if (error.retryable) {
      this._wait(error.retryAfterMs || this._pause(), error);
      return;
    }
    this._set({ state: "refused", error });
    this._failAll((request) => !request.sent, error);
  }

  _silent(reason) {
    const socket = this.socket;
    this._drop();
    if (socket) this._lost(null, 1006, reason);
  }

  /** Leave the socket: nothing that it still does counts. */
  _drop() {
    clearInterval(this.watch);
    clearTimeout(this.opening);
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close(CLOSE_ENDED);
    }
  }

  _lost(socket, code, reason) {
    if (socket && socket !== this.socket) return;
    const wasOpen = this.connection.peek().state === "open";
    const steady = wasOpen && Date.now() - this.openedAt > STEADY_MS;
    if (wasOpen) this.failures = steady ? 0 : Math.min(this.failures, BRIEF);
    this._drop();
    for (const request of this.requests.values()) {
      if (!request.sent) continue;
      // The next session has a subscription of its own: this one would replace it by an older one.
      if (request.method !== SUBSCRIBE && (this._mayRepeat(request) || code === 1012)) {
        request.sent = false; // what a gateway that restarts has not answered was not carried out
        continue;
      }
      const message = `${request.method}: the connection was lost; it may have been carried out`;
      this._fail(request, new GatewayError({ message, details: { maybeExecuted: true } }));
    }
    const message = reason || (wasOpen ? "the connection was lost" : "nothing answers there");
    this._wait(steady ? 0 : this._pause(), new GatewayError({ message }));
  }

  /** Return how long to wait before the next try, longer each time, so that not all clients come at once. */
  _pause() {
    return WAITS[Math.min(this.failures++, WAITS.length - 1)] * (0.8 + 0.4 * Math.random());
  }

  /** Return whether the gateway says that it does no harm to carry out a request twice. */
  _mayRepeat({ method, params }) {
    return this.repeatable?.has(method) || Boolean(params.idempotencyKey && this.keyed?.has(method));
  }

  _wait(milliseconds, error) {
    this._set({ state: "waiting", error, retryAt: Date.now() + milliseconds });
    this.timer = setTimeout(() => this.open(), milliseconds);
  }

  _fail(request, error) {
    clearTimeout(request.timer);
    this.requests.delete(request.id);
    request.reject(error);
  }

  _failAll(which, error) {
    for (const request of [...this.requests.values()].filter(which)) this._fail(request, error);
  }

  _happened(event, payload) {
    if (payload?.cursor && payload.account) {
      if (isOlder(payload.cursor, this.cursors[payload.account])) return; // comes twice
      this.cursors[payload.account] = payload.cursor;
    }
    for (const handler of [...(this.handlers.get(event) ?? []), ...(this.handlers.get("*") ?? [])]) {
      handler(payload, event);
    }
  }

  _subscribeSoon() {
    if (this.planned) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      if (this.connection.peek().state === "open") this._subscribe();
    });
  }

  async _subscribe() {
    const wanted = together([...this.needs]);
    const text = JSON.stringify(wanted);
    if (text === this.subscribed) return;
    this.subscribed = text;
    const replays = wanted.events.some((event) => event === "channel.message" || event === "channel.event");
    if (!replays) this.cursors = {}; // who asks for messages later wants those from then on
    const params = replays ? { ...wanted, cursors: this.cursors } : wanted;
    try {
      const answer = await this.request(SUBSCRIBE, params);
      if (replays) this.cursors = { ...answer.cursors, ...newer(this.cursors, answer.cursors) };
      if (this.unheard) this._happened("client.subscribed", answer); // what came meanwhile is not known
      this.unheard = false;
    } catch (error) {
      if (this.subscribed !== text || this.connection.peek().state !== "open") return; // another one is on its way
      this.unheard = true;
      this.subscribed = "";
      setTimeout(() => this._subscribeSoon(), Math.max(AGAIN_MS, error.retryAfterMs ?? 0));
      this._happened("client.unsubscribed", error);
    }
  }
}

/** Return the params of one `events.subscribe` for several needs. Pure. */
export function together(needs) {
  const events = [...new Set(needs.flatMap((each) => each.events ?? []))].sort();
  const all = needs.some((each) => each.events?.length && !each.accounts);
  const runs = needs.flatMap((each) => (each.runs === undefined ? [] : each.runs));
  const paces = needs.flatMap((each) => (each.figures ? [each.figures.everyMs] : []));
  const params = {
    events,
    runs: runs.includes(true) ? true : runs.length ? [...new Set(runs)].sort() : false,
    figures: paces.length ? { everyMs: Math.min(...paces) } : false,
    health: needs.some((each) => each.health),
  };
  if (!all) params.accounts = [...new Set(needs.flatMap((each) => each.accounts ?? []))].sort();
  return params;
}

/** Return whether a cursor (`<incarnation>:<number>`) is not behind another one. Pure. */
export function isOlder(cursor, than) {
  if (!than) return false;
  const [a, b] = cursor.split(":").map(Number);
  const [c, d] = than.split(":").map(Number);
  return a < c || (a === c && b <= d);
}

function newer(seen, answered) {
  return Object.fromEntries(Object.entries(seen).filter(([key, cursor]) => !isOlder(cursor, answered[key])));
}
