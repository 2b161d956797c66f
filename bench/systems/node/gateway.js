// The same thing in Node, as people write it: child_process.fork for the workers, their IPC
// for the messages, the package `ws` for the clients.
//
//   node gateway.js WS_FOLDER WORKERS [joined]
//
// `joined` is what people do not write: the frames of one turn of the event loop are made once
// and leave in one write per client.
const { fork } = require("child_process");
const path = require("path");
const readline = require("readline");
const { WebSocketServer, Sender } = require(process.argv[2]);

const joined = process.argv[4] === "joined";
const clients = new Set();
const waiting = new Map();
let nextCall = 0;
let pending = [];

const workers = Array.from({ length: Number(process.argv[3]) }, (_, index) => {
  const worker = fork(path.join(__dirname, "worker.js"), [`w${index}`]);
  worker.on("message", (said) => {
    if (said.answer !== undefined) {
      const { client, id } = waiting.get(said.answer);
      waiting.delete(said.answer);
      client.send(JSON.stringify({ type: "res", id, ok: true, payload: said.payload }));
    } else if (joined) later(said);
    else publish(said);
  });
  return worker;
});

function publish(payload) {
  const text = JSON.stringify({ type: "event", event: "channel.message", payload });
  for (const client of clients) client.send(text);
}

function later(payload) {
  const data = Buffer.from(JSON.stringify({ type: "event", event: "channel.message", payload }));
  const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };
  if (pending.push(...Sender.frame(data, options)) <= 2) setImmediate(flush);
}

function flush() {
  const bytes = Buffer.concat(pending);
  pending = [];
  for (const client of clients) client._socket.write(bytes);
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (client) => {
  clients.add(client);
  client.on("close", () => clients.delete(client));
  client.on("error", () => clients.delete(client));
  client.on("message", (text) => {
    const request = JSON.parse(text);
    if (request.method === "send") {
      const call = nextCall++;
      waiting.set(call, { client, id: request.id });
      const index = Number(request.params.accountId.slice(1));
      workers[index].send({ call, params: request.params });
    } else {
      client.send(JSON.stringify({ type: "res", id: request.id, ok: true, payload: null }));
    }
  });
});
server.on("listening", () => {
  console.log(JSON.stringify({ port: server.address().port, workers: workers.map((w) => w.pid) }));
});

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { workers: count, rate, size } = JSON.parse(line);
  workers.slice(0, count).forEach((worker) => worker.send({ rate, size }));
});
