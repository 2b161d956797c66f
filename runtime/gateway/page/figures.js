// Keeps what is sent of all accounts every few seconds: memory, CPU, lag, queue, messages.
//
// A signal for each account, as in store.js. It is sent only while a page needs it (`useFigures`).

import { Flow, STEPS } from "./flow.js";
import { useEffect } from "./libraries/hooks.js";
import { batch, signal } from "./libraries/signals.js";
import { client } from "./session.js";
import { accountOf } from "./store.js";

const EVERY_MS = 5000;
const STEP_MS = 120_000; // of the sparklines: an hour in 30 steps

const figures = new Map(); // by key: a signal of {rss, cpu, lag, queued}
const flows = new Map(); // by key: the messages of the last hour
const restarts = new Map(); // by key: `{seen, counted}`, see restartsOf
let keys = []; // the places of the frames' rows

/** Changes when flows have moved on: with each frame, and when their past has come. */
export const beat = signal(0);

/** Return the signal of an account's figures: `{rss (bytes), cpu, lag, queued}`, or `null`. */
export function figuresOf(key) {
  if (!figures.has(key)) figures.set(key, signal(null));
  return figures.get(key);
}

/** Return the messages of an account in the last hour, or `undefined` while they are not known. */
export function flowOf(key) {
  return flows.get(key);
}

/**
 * Return how often an account was restarted within 24 hours, as far as it was seen: what the gateway
 * had measured when it was asked, and what the account's row has counted since.
 */
export function restartsOf(row) {
  const { seen = row.restarts, counted = row.restarts } = restarts.get(row.account) ?? {};
  return Math.max(seen + Math.max(0, row.restarts - counted), row.failures);
}

/** Have the figures sent while a component is shown, and the tab: nobody looks at a hidden one. */
export function useFigures() {
  useEffect(() => {
    let stop = null;
    const look = () => {
      if (document.hidden) {
        stop?.();
        stop = null;
      } else if (!stop) {
        stop = client.need({ figures: { everyMs: EVERY_MS } });
        readPast(); // what a hidden tab has missed is in it
      }
    };
    look();
    document.addEventListener("visibilitychange", look);
    const end = client.on("client.opened", readPast);
    return () => {
      document.removeEventListener("visibilitychange", look);
      end();
      stop?.();
    };
  }, []);
}

client.on("channel.figures", (frame) => {
  if (frame.keys) keys = frame.keys;
  const places = frame.rows ?? frame.keys.map((_, place) => place);
  batch(() => {
    places.forEach((place, at) => {
      const key = keys[place];
      const rss = frame.rss[at];
      figuresOf(key).value = {
        rss: rss === null ? null : rss * 1024,
        cpu: frame.cpu[at],
        lag: frame.lag[at],
        queued: frame.queued[at],
      };
      if (frame.in[at] || frame.out[at]) flow(key).add(frame.ts, frame.in[at], frame.out[at]);
    });
    beat.value += 1;
  });
});

client.on("channel.removed", ({ account }) => [figures, flows, restarts].forEach((each) => each.delete(account)));

function flow(key) {
  if (!flows.has(key)) flows.set(key, new Flow(STEP_MS));
  return flows.get(key);
}

async function readPast() {
  try {
    const [hour, day] = await Promise.all([
      client.request("metrics.history", { series: ["in", "out"], range: "1h", points: STEPS }),
      client.request("metrics.history", { series: ["restarts"], range: "24h", points: 1 }),
    ]);
    takePast(hour);
    day.keys.forEach((key, at) => {
      const number = day.series.restarts[at].reduce((sum, each) => sum + (each ?? 0), 0);
      restarts.set(key, { seen: Math.round(number), counted: accountOf(key).peek()?.restarts });
    });
    beat.value += 1;
  } catch {
    // Without a past the lines begin now: nothing else depends on it.
  }
}

function takePast({ keys: known, series, from, stepMs }) {
  known.forEach((key, at) => {
    const fresh = new Flow(STEP_MS);
    series.in[at].forEach((number, step) => {
      const time = from + step * stepMs;
      if (number || series.out[at][step]) fresh.add(time, number ?? 0, series.out[at][step] ?? 0);
    });
    flows.set(key, fresh);
  });
}
