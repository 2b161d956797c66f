// Follows the newest messages of all accounts: each as it comes, and in batches where many come.

import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { useRequest } from "./request.js";
import { client } from "./session.js";
import { Stream, areMany } from "./stream.js";

const DRAW_MS = 250; // a busy fleet draws four times a second, not a hundred
const BUSY_MS = 1000; // and what fills the window each time, slower: nobody reads it in between
const FULL = 40; // messages of one drawing that fill the window
const RECENT = 300; // read at first
export const BATCH_MS = 2000; // 500 frames a second cost a tab an eighth of a core, and are not read
const BATCH = 1500;

/**
 * Follow the messages; of accounts that are `named` more of what came before is read. Returns the
 * `stream`, a `version` that rises with it, the first request (`recent`), and whether the messages
 * are `batched`: read every `BATCH_MS`, because each as an event costs too much.
 */
export function useNewest(named) {
  const held = useRef(null);
  const stream = (held.current ??= new Stream());
  const [version, setVersion] = useState(0);
  const [batched, setBatched] = useState(false);
  const recent = useRequest("messages.recent", { limit: RECENT, ...(named.length ? { accounts: named } : {}) });
  const draw = () => setVersion((before) => before + 1);
  useEffect(() => (batched ? readBatches : followEach)(stream, draw, setBatched), [batched]);
  useEffect(() => {
    stream.takeAll(recent.data?.messages ?? []);
    draw();
  }, [recent.data]);
  return { stream, version, recent, batched };
}

/** Take each message as an event, until there are many; returns the function that ends it. */
function followEach(stream, draw, setBatched) {
  let timer = 0;
  let came = 0;
  let wait = DRAW_MS;
  const plan = () => {
    if (came && !document.hidden) timer ||= setTimeout(show, wait);
  };
  const show = () => {
    timer = 0;
    if (wait === BUSY_MS && areMany(false, (came * 1000) / wait)) setBatched(true);
    wait = came > FULL ? BUSY_MS : DRAW_MS;
    came = 0;
    draw();
  };
  const soon = () => {
    came += 1;
    plan();
  };
  document.addEventListener("visibilitychange", plan);
  const ends = [
    client.need({ events: ["channel.message"] }),
    client.on("channel.message", (event) => stream.take(event) && soon()),
    client.on("channel.gap", ({ account }) => {
      stream.gap(account, Date.now());
      soon();
    }),
  ];
  if (stream.rows.length) {
    // After the subscription, which is asked for in a microtask: what came between a batch and it.
    queueMicrotask(() => read(stream).then(draw, () => {}));
  }
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", plan);
    for (const end of ends) end();
  };
}

/** Read messages in batches until few come; returns the function that ends it. */
function readBatches(stream, draw, setBatched) {
  let timer = 0;
  let shown = true;
  let before = Date.now();
  const again = async () => {
    let came = Infinity;
    try {
      came = await read(stream);
    } catch {
      // Asked again; until then the page says that the gateway does not answer.
    }
    if (!shown) return;
    draw();
    const now = Date.now();
    if (!areMany(true, (came * 1000) / (now - before))) setBatched(false);
    else timer = setTimeout(again, BATCH_MS);
    before = now;
  };
  timer = setTimeout(again, BATCH_MS);
  return () => {
    shown = false;
    clearTimeout(timer);
  };
}

/** Read the newest messages; resolves with how many of them are new. */
async function read(stream) {
  return stream.takeBatch(await client.request("messages.recent", { limit: BATCH }));
}
