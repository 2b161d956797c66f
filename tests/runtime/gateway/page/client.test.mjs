import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Client, browserOf, isOlder, together } from "../../../../runtime/gateway/page/client.js";

const NONE = { events: [], runs: false, figures: false, health: false };

test("one subscription holds what all need", () => {
  assert.deepEqual(together([]), { ...NONE, accounts: [] });
  assert.deepEqual(
    together([
      { events: ["channel.status"] },
      { events: ["channel.message", "channel.status"], accounts: ["irc:a"] },
      { runs: ["agent:main:main"] },
    ]),
    { ...NONE, events: ["channel.message", "channel.status"], runs: ["agent:main:main"] },
  );
  const some = [{ events: ["channel.message"], accounts: ["b", "a"] }, { events: ["channel.event"], accounts: ["a"] }];
  assert.deepEqual(together(some), { ...NONE, events: ["channel.event", "channel.message"], accounts: ["a", "b"] });
  const rest = [{ runs: ["a"] }, { runs: true }, { figures: { everyMs: 5000 } }, { figures: { everyMs: 1000 }, health: true }];
  assert.deepEqual(together(rest), { events: [], runs: true, figures: { everyMs: 1000 }, health: true, accounts: [] });
});

test("an event that has been seen is not a newer one", () => {
  assert.equal(isOlder("1:5", undefined), false);
  assert.equal(isOlder("1:5", "1:5"), true);
  assert.equal(isOlder("1:6", "1:5"), false);
  assert.equal(isOlder("2:1", "1:999"), false);
  assert.equal(isOlder("1:999", "2:1"), true);
});

test("a device is named after the browser and the system that it is", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  const edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0";
  const safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
  const cases = { [chrome]: " in Chrome on Linux", [edge]: " in Edge on Windows", [safari]: " in Safari on iPhone", "curl/8": "", "": "" };
  for (const [agent, expected] of Object.entries(cases)) assert.equal(browserOf(agent), expected, agent);
});

/** Replace the clock and the browser's sockets; return the sockets that are opened, with what they `sent`. */
function fakeSockets() {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const sockets = [];
  globalThis.addEventListener = () => {};
  globalThis.WebSocket = class {
    constructor() {
      this.sent = [];
      sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.closed = true;
    }
  };
  return sockets;
}

test("a gateway that takes the connection and says nothing is left after a while, and tried again", () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}));
  client.open();
  mock.timers.tick(19_999);
  assert.equal(client.connection.value.state, "connecting");
  mock.timers.tick(1);
  assert.deepEqual([client.connection.value.state, client.connection.value.error.message], ["waiting", "nothing has answered for 20 s"]);
  assert.equal(sockets[0].closed, true);
  mock.timers.tick(1000);
  assert.deepEqual([client.connection.value.state, sockets.length], ["connecting", 2]);
  client.close();
  mock.timers.tick(60_000);
  assert.deepEqual([client.connection.value.state, sockets.length], ["closed", 2]);
  mock.timers.reset();
});

test("a session sends each request once that was made before or while it opened", () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}), () => client.request("attention"));
  client.need({ events: ["channel.status"] });
  client.request("status");
  client.open();
  sockets[0].onmessage({ data: JSON.stringify({ type: "res", id: "connect", ok: true, payload: {} }) });
  const methods = sockets[0].sent.map(({ method }) => method);
  assert.deepEqual(methods.sort(), ["attention", "events.subscribe", "status"]);
  client.close();
  mock.timers.reset();
});

test("credentials that fail end the connection that asked for them, and no later one", async () => {
  const sockets = fakeSockets();
  const failures = [];
  const client = new Client("ws://127.0.0.1/", () => new Promise((_, reject) => failures.push(reject)));
  const challenge = { data: JSON.stringify({ type: "event", event: "connect.challenge", payload: {} }) };
  client.open();
  sockets[0].onmessage(challenge);
  mock.timers.tick(20_000); // it is left
  mock.timers.tick(1000); // and the next one is open
  assert.equal(sockets.length, 2);
  failures[0](new Error("the key is gone"));
  await new Promise((turned) => setImmediate(turned));
  assert.deepEqual([client.connection.value.state, sockets[1].closed], ["connecting", undefined]);
  sockets[1].onmessage(challenge);
  failures[1](new Error("the key is gone"));
  await new Promise((turned) => setImmediate(turned));
  assert.deepEqual([client.connection.value.state, client.connection.value.error.message], ["refused", "the key is gone"]);
  mock.timers.reset();
});

/** Open a client's session at the socket that it has opened last, as a gateway does that lets it in. */
function letIn(sockets, payload = {}) {
  sockets.at(-1).onmessage({ data: JSON.stringify({ type: "res", id: "connect", ok: true, payload }) });
}

function answer(sockets, request, frame) {
  sockets.at(-1).onmessage({ data: JSON.stringify({ type: "res", id: request.id, ...frame }) });
}

function askedFor(socket, method) {
  return socket.sent.filter((frame) => frame.method === method);
}

const turned = () => new Promise((done) => setImmediate(done));

test("sessions that end at once, and refusals without a time, are followed by longer and longer pauses", () => {
  const refuse = (socket) => socket.onmessage({ data: JSON.stringify({ type: "res", id: "connect", ok: false, error: { message: "starting", retryable: true } }) });
  const end = (socket) => socket.onclose({ code: 1006, reason: "" });
  for (const [what, begin] of Object.entries({
    "ended at once": (sockets) => (letIn(sockets), end(sockets.at(-1))),
    "refused": (sockets) => refuse(sockets.at(-1)),
  })) {
    const sockets = fakeSockets();
    const client = new Client("ws://127.0.0.1/", async () => ({}));
    client.open();
    const pauses = [];
    for (let tries = 0; tries < 5; tries++) {
      begin(sockets);
      pauses.push(client.connection.value.retryAt - Date.now());
      mock.timers.tick(Math.ceil(pauses.at(-1)));
    }
    assert.deepEqual([...pauses].sort((a, b) => a - b), pauses, what);
    assert.ok(pauses[4] > 2000, `${what}: ${pauses}`);
    letIn(sockets);
    mock.timers.tick(4_000); // that one holds: the next begins at once
    end(sockets.at(-1));
    assert.equal(client.connection.value.retryAt - Date.now(), 0, what);
    client.close();
    mock.timers.reset();
  }
});

test("a subscription that is refused is made again, and then it is said that events may be missing", async () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}));
  const said = [];
  client.on("*", (_, event) => said.push(event));
  client.need({ events: ["channel.status"] });
  client.open();
  letIn(sockets);
  for (let tries = 1; tries < 3; tries++) {
    assert.equal(askedFor(sockets[0], "events.subscribe").length, tries);
    answer(sockets, sockets[0].sent.at(-1), { ok: false, error: { message: "the gateway is starting" } });
    await turned();
    mock.timers.tick(2_999);
    await turned();
    assert.equal(askedFor(sockets[0], "events.subscribe").length, tries);
    mock.timers.tick(1);
    await turned();
  }
  answer(sockets, sockets[0].sent.at(-1), { ok: true, payload: {} });
  await turned();
  mock.timers.tick(60_000);
  await turned();
  assert.equal(askedFor(sockets[0], "events.subscribe").length, 3);
  assert.deepEqual(said, ["client.opened", "client.unsubscribed", "client.unsubscribed", "client.subscribed"]);
  client.close();
  mock.timers.reset();
});

test("a session has its own subscription only, not the one on its way in the session before", async () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}));
  client.need({ events: ["channel.status"] });
  client.open();
  letIn(sockets, { features: { repeatable: { always: ["events.subscribe"] } } });
  client.need({ events: ["channel.login"] });
  sockets[0].onclose({ code: 1012, reason: "service restart" });
  await turned();
  mock.timers.tick(1000);
  letIn(sockets);
  assert.equal(sockets.length, 2);
  const asked = askedFor(sockets[1], "events.subscribe").map(({ params }) => params.events);
  assert.deepEqual(asked, [["channel.login", "channel.status"]]);
  client.close();
  mock.timers.reset();
});

test("of what was on its way when a session ended only that is sent again which does no harm", async () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}));
  client.open();
  letIn(sockets, { features: { repeatable: { always: ["status"], withKey: ["chat.send"] } } });
  const requests = [["status"], ["chat.send", { idempotencyKey: "k" }], ["chat.send", {}], ["channels.restart"]];
  const lost = [];
  for (const [method, params] of requests) client.request(method, params).catch((error) => lost.push(error));
  sockets[0].onclose({ code: 1006, reason: "" });
  await turned();
  assert.deepEqual(lost.map(({ message, maybeExecuted }) => [message.split(":")[0], maybeExecuted]), [["chat.send", true], ["channels.restart", true]]);
  mock.timers.tick(1000);
  letIn(sockets);
  assert.deepEqual(sockets[1].sent.filter(({ method }) => method !== "events.subscribe").map(({ method }) => method), ["status", "chat.send"]);
  client.close();
  mock.timers.reset();
});

test("a request without an answer says whether it may have been carried out, and one that was not sent that it was not", async () => {
  const sockets = fakeSockets();
  const client = new Client("ws://127.0.0.1/", async () => ({}));
  const said = [];
  const ask = (method) => client.request(method).catch((error) => said.push([error.message, error.maybeExecuted]));
  client.open();
  letIn(sockets, { features: { repeatable: { always: ["status"] } } });
  ask("status");
  ask("config.patch");
  mock.timers.tick(30_000);
  await turned();
  client.close();
  ask("config.set");
  mock.timers.tick(30_000);
  await turned();
  assert.deepEqual(said, [
    ["status has not been answered within 30 s", true],
    ["config.patch has not been answered within 30 s; it may have been carried out", true],
    ["config.set was not sent: there was no connection for 30 s", false],
  ]);
  mock.timers.reset();
});
