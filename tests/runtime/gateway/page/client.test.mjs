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

test("a gateway that takes the connection and says nothing is left after a while, and tried again", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const sockets = [];
  globalThis.addEventListener = () => {};
  globalThis.WebSocket = class {
    constructor() {
      sockets.push(this);
    }
    close() {
      this.closed = true;
    }
  };
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
