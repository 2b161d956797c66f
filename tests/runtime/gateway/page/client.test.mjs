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
