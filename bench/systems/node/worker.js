// A worker of the Node design: speaks at a rate (-1: as fast as the channel takes it), answers
// calls. At most IN_FLIGHT messages have not been written to the parent's pipe yet.
const name = process.argv[2];
const IN_FLIGHT = 256;
const BATCH = 128;
const PACE = 2; // ms
let number = 1000000000;
let rate = 0, size = 200, began = 0n, said = 0, flying = 0, scheduled = null;

const clock = () => process.hrtime.bigint();

function message() {
  number += 1;
  const text = `${number} ${String(clock()).padStart(19, "0")} ${"x".repeat(size)}`.slice(0, size);
  return {
    account: `source:${name}`, channel: "source", accountId: name, direction: "in",
    cursor: `1:${number}`,
    message: {
      id: String(number), chat: { id: "load", kind: "group", title: "Load" },
      sender: { id: "load", name: "load", bot: true }, text, ts: Date.now(),
    },
  };
}

function speak() {
  scheduled = null;
  let due = rate < 0 ? BATCH : Math.floor((Number(clock() - began) / 1e9) * rate) - said;
  for (; due > 0 && flying < IN_FLIGHT; due--, said++) {
    flying++;
    process.send(message(), () => { if (flying-- === IN_FLIGHT) again(); });
  }
  again();
}

function again() {
  if (scheduled || !rate || flying >= IN_FLIGHT) return;
  scheduled = rate < 0 ? setImmediate(speak) : setTimeout(speak, PACE);
}

process.on("message", (order) => {
  if (order.call !== undefined) {
    const payload = { id: order.params.idempotencyKey, ts: Date.now() };
    process.send({ answer: order.call, payload });
    return;
  }
  ({ rate, size } = order);
  began = clock();
  said = 0;
  again();
});
process.on("disconnect", () => process.exit(0));
