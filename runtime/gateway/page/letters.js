// Lists the messages that were given up, with the reasons, and what a person decides about them.

import { whoClass } from "./accounts.js";
import { lookAgain } from "./attention.js";
import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { useRequest } from "./request.js";
import { href } from "./route.js";
import { VirtualRows } from "./rows.js";
import { client, may } from "./session.js";
import { tall } from "./store.js";
import { Ago } from "./times.js";
import { Button, Dialog, Empty, Failure, ask, toast, useMedia } from "./ui.js";
import { capital, count } from "./words.js";

const MOST = 1000;

/** The list of messages that were given up. `onChange` is called when one of them is decided. */
export function GivenUp({ onChange }) {
  const { data, error, again } = useRequest("deadletters.list", { limit: MOST });
  const [shown, setShown] = useState(null);
  const narrow = useMedia("(max-width: 760px)");
  const failure = error && html`<${Failure} error=${error} onRetry=${again} />`;
  if (!data) return failure || html`<p class="faint" role="status">Reading what was given up</p>`;
  const done = () => {
    setShown(null);
    again();
    onChange();
    lookAgain();
  };
  if (!data.letters.length) {
    return html`${failure}<${Empty} title="Nothing was given up">
      What the gateway cannot deliver, or of which it cannot know whether it was delivered, waits here for a person.
    <//>`;
  }
  const byId = new Map(data.letters.map((letter) => [letter.id, letter]));
  return html`
    ${failure}
    <p class="note">The oldest first. If its account is down, one that is retried waits up to 24 h.${data.count > data.letters.length ? ` ${data.count - data.letters.length} newer ones follow once these are decided.` : ""}</p>
    <${VirtualRows}
      items=${[...byId.keys()]}
      height=${narrow ? tall(152) : 60}
      label="Messages that were given up"
      head=${html`<div class="row columns" role="row">${["Since", "Account", "Chat", "Message", "Why", "Attempts", "Decide"].map((name) => html`<span role="columnheader" key=${name}>${name}</span>`)}</div>`}
      onRow=${(id, index, event) => event.target.closest("a, button") || setShown(byId.get(id))}
      render=${(id) => html`<${Row} letter=${byId.get(id)} onDone=${done} onShow=${() => setShown(byId.get(id))} />`}
    />
    ${shown && html`<${Letter} letter=${shown} onDone=${done} onClose=${() => setShown(null)} />`}
  `;
}

function Row({ letter, onDone, onShow }) {
  return html`
    <span role="cell" class="when"><${Ago} at=${letter.at} /></span>
    <span role="cell" class=${whoClass(letter.account)}><a href=${href("account", letter.account)}>${letter.account}</a></span>
    <span role="cell" class="chat">${letter.chat}</span>
    <span role="cell" class="text"><${Button} class="quiet" title="Read all of it" onClick=${onShow}>${letter.text || "(no text)"}<//></span>
    <span role="cell" class="why" title=${whyOf(letter)}>${whyOf(letter)}</span>
    <span role="cell" class="number">${letter.attempts}</span>
    <span role="cell" class="decide"><${Decide} letter=${letter} onDone=${onDone} /></span>
  `;
}

const STATES = {
  unknown: "its account died meanwhile, it may have been sent",
  expired: "it waited too long for its account",
  failed: "it could not be sent",
};

/** Return the state, as the command line calls it, and why. */
function whyOf(letter) {
  return `${letter.state}: ${letter.error || letter.reason || STATES[letter.state]}`;
}

function Decide({ letter, onDone }) {
  const [busy, setBusy] = useState("");
  if (!may("write")) return html`<span class="faint">needs operator.write</span>`;
  const perform = async (verb, doing, said) => {
    setBusy(doing);
    try {
      await client.request(`deadletters.${verb}`, { id: letter.id });
      toast(said);
      onDone();
    } catch (error) {
      toast(error.message, "bad");
    }
    setBusy("");
  };
  const retry = async () => {
    const twice = letter.state === "unknown" || letter.sent.length > 0;
    const text = twice
      ? "It may have been sent already: then the chat reads it twice. Parts that were surely sent are not sent again."
      : "It is queued again. If its account is down, it waits up to 24 h.";
    if (await ask({ title: `Retry the message to ${letter.chat}?`, text, action: "Retry" })) {
      await perform("retry", "Queueing", `Queued for ${letter.account}`);
    }
  };
  const discard = async () => {
    const text = "It is given up for good. The conversation's transcript keeps what the agent said.";
    if (await ask({ title: `Discard the message to ${letter.chat}?`, text, action: "Discard", danger: true })) {
      await perform("discard", "Discarding", "Discarded");
    }
  };
  return html`<${Button} busy=${busy} onClick=${retry}>Retry<//> <${Button} disabled=${Boolean(busy)} tone="danger" onClick=${discard}>Discard<//>`;
}

function Letter({ letter, onDone, onClose }) {
  const { data, error, again } = useRequest("deadletters.show", { id: letter.id });
  const texts = data?.texts?.length ? data.texts : data ? [data.message.text] : [];
  return html`<${Dialog} title=${`Given up: to ${letter.chat}`} wide onClose=${onClose}>
    <p>${capital(whyOf(letter))}. Account ${letter.account}, ${count(letter.attempts, "attempt")}.</p>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${texts.map((text, at) => html`<div key=${at}>${texts.length > 1 && html`<h3>Part ${at + 1}${at < letter.sent.length ? " (was sent)" : ""}</h3>`}<blockquote class="said-text" tabindex="0">${text || "(no text)"}</blockquote></div>`)}
    ${data?.message.attachments?.length ? html`<p class="faint">With ${data.message.attachments.length} files.</p>` : null}
    <footer><${Decide} letter=${letter} onDone=${onDone} /></footer>
  <//>`;
}
