// Acts on accounts, one or many: start, stop, restart, drain, reset; and the next try at once.

import { next, verbsFor } from "./accounts.js";
import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { client, may } from "./session.js";
import { accountOf, ranked } from "./store.js";
import { Button, ask, toast } from "./ui.js";
import { count, grouped } from "./words.js";

const FEW = 3; // are named, the others counted

/** Starts an account at once that waits for its next try. */
export function TryNow({ row }) {
  const [busy, setBusy] = useState(false);
  if (!next(row).at || !may("admin")) return null;
  const begin = async () => {
    const text = "The platform has asked to be left alone until then: it may refuse an earlier try, and make the wait longer.";
    if (row.retry === "asked" && !(await ask({ title: `Try ${row.account} now?`, text, action: "Try now", danger: true }))) return;
    setBusy(true);
    await perform("start", [row.account]);
    setBusy(false);
  };
  return html`<${Button} class="try" disabled=${busy} aria-label=${`Try now: ${row.account}`} title="Start it at once, without waiting" onClick=${begin}>Try now<//>`;
}

const MEANWHILE = "Meanwhile nothing is received (whether it comes later is up to the platform), and what is sent through them is refused.";

const VERBS = {
  start: { label: "Start", text: "At once, without waiting for a next try." },
  stop: { label: "Stop", reason: true, text: `The stop holds, over restarts too, until somebody starts them. ${MEANWHILE}` },
  restart: { label: "Restart", text: "Each process is replaced; messages on their way are kept or sent again." },
  drain: { label: "Drain", reason: true, text: `Nothing new is taken; what is under way is finished (at most 30 s), then comes the stop, which holds until somebody starts them. ${MEANWHILE}` },
  reset: { label: "Reset", text: "Failures in a row are forgotten, so that the next try comes soonest." },
};

const DANGEROUS = new Set(["stop", "drain"]);
const HARMLESS = new Set(["start", "reset"]); // of one account: of many it is a burst

/** Return the first of some keys, and how many others there are. */
function named(keys) {
  const more = keys.length - FEW;
  return `${keys.slice(0, FEW).join(", ")}${more > 0 ? ` + ${grouped(more)}` : ""}`;
}

/**
 * What can be done to the accounts that are selected; `but` names verbs that stand elsewhere. `onDone`
 * gets the keys of those that are to stay selected: it has failed for them.
 */
export function Verbs({ keys, but = [], onDone = () => {} }) {
  ranked.value;
  const [busy, setBusy] = useState("");
  if (!may("admin")) return html`<p class="verbs faint">This browser may look, but not start or stop: it lacks operator.admin.</p>`;
  const able = new Map(Object.keys(VERBS).map((verb) => [verb, keys.filter((key) => verbsFor(accountOf(key).peek() ?? {}).includes(verb))]));
  const carryOut = async (verb) => {
    const meant = able.get(verb);
    const { label, text, reason } = VERBS[verb];
    const whom = meant.length === 1 ? meant[0] : count(meant.length, "account");
    const answer = meant.length === 1 && HARMLESS.has(verb) ? {} : await ask({ title: `${label} ${whom}?`, text: meant.length > 1 ? `${named(meant)}. ${text}` : text.replaceAll("them", "it"), action: `${label} ${whom}`, danger: DANGEROUS.has(verb), reason });
    if (!answer) return;
    const failed = await perform(verb, meant, answer.reason, (done) => setBusy(`${label}: ${done} of ${meant.length}`));
    setBusy("");
    onDone(failed);
  };
  return html`<div class="verbs" role="group" aria-label="What is done to the selected accounts">
    ${(busy || keys.length > 1) && html`<b role="status">${busy || `${keys.length} selected`}</b>`}
    ${[...able].filter(([verb]) => !but.includes(verb)).map(
      ([verb, meant]) => html`<${Button} key=${verb} tone=${DANGEROUS.has(verb) ? "danger" : ""} title=${VERBS[verb].text} disabled=${meant.length === 0 || Boolean(busy)} onClick=${() => carryOut(verb)}>
        ${VERBS[verb].label}${meant.length && meant.length !== keys.length ? ` ${meant.length}` : ""}
      <//>`,
    )}
    ${keys.length > 1 && html`<${Button} class="quiet" onClick=${() => onDone([])}>Select none<//>`}
  </div>`;
}

/** Carry out a verb for accounts, some at a time; says what became of them, and returns those for which it failed. */
async function perform(verb, keys, reason, onProgress = () => {}) {
  const failed = new Map();
  let done = 0;
  const one = async (key) => {
    try {
      await client.request(...requestOf(verb, key, reason), { timeout: 60_000 });
    } catch (error) {
      failed.set(key, `${key}: ${error.message}`);
    }
    onProgress(++done);
  };
  const queue = [...keys];
  const lanes = Array.from({ length: 16 }, async () => {
    while (queue.length) await one(queue.shift());
  });
  await Promise.all(lanes);
  const good = keys.length - failed.size;
  if (good) toast(`${VERBS[verb].label} accepted: ${keys.length === 1 ? keys[0] : count(good, "account")}`);
  const stay = keys.length > 1 ? ", still selected" : "";
  if (failed.size) toast(`${VERBS[verb].label} failed for ${count(failed.size, "account")}${stay}. ${[...failed.values()].slice(0, FEW).join(" · ")}`, "bad");
  return [...failed.keys()];
}

function requestOf(verb, key, reason) {
  if (verb === "reset") return ["channels.reset", { accounts: [key] }];
  if (verb === "drain") return ["channels.drain", { accounts: [key], reason }];
  const at = key.indexOf(":");
  return [`channels.${verb}`, { channel: key.slice(0, at), accountId: key.slice(at + 1), reason }];
}
