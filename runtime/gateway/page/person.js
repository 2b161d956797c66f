// Talks to an account of the channel `local` as a person of some name: no agent's side of it.

import { html } from "./html.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { useRequest } from "./request.js";
import { go, href } from "./route.js";
import { client, may } from "./session.js";
import { accountOf, allRows, ranked } from "./store.js";
import { Stream } from "./stream.js";
import { Time } from "./times.js";
import { Text, Transcript } from "./transcript.js";
import { Button, Dialog, Empty, Failure, Phase } from "./ui.js";

const RECENT = 200;
const NAME = /^[^\s*/][^\s]{0,31}$/;

/** Return the accounts to which a person may talk from here. */
export function localAccounts() {
  ranked.value;
  return allRows().filter((row) => row.channel === "local" && row.phase === "running").map((row) => row.account).sort();
}

/** Asks which account, and under which name. */
export function Meeting({ accounts, onClose }) {
  const [wrong, setWrong] = useState("");
  const begin = (event) => {
    event.preventDefault();
    const { account, name } = Object.fromEntries(new FormData(event.currentTarget));
    if (!NAME.test(name)) {
      setWrong("A name is one word, without * and / at its beginning.");
      return;
    }
    onClose();
    go(href("chat", "person", account, name));
  };
  return html`<${Dialog} title="Talk to an account" onClose=${onClose}>
    <p>You write as a person of that name who sits at the gateway's host. What the account answers depends on its lists and its agent.</p>
    <form onSubmit=${begin}>
      <label class="field">Account<select name="account">${accounts.map((each) => html`<option key=${each}>${each}</option>`)}</select></label>
      <label class="field">Your name there<input name="name" required maxlength="32" defaultValue="operator" autocomplete="off" spellcheck="false" /></label>
      ${wrong && html`<p class="said" role="alert">${wrong}</p>`}
      <footer><${Button} onClick=${onClose}>Cancel<//><button type="submit" class="button primary">Begin</button></footer>
    </form>
  <//>`;
}

/** Follow what is said in the direct chat of a person: `{rows, error, again}`, the oldest first. */
function useTalk(account, name) {
  const stream = useRef(null);
  stream.current ??= new Stream();
  const [, draw] = useState(0);
  const recent = useRequest("messages.recent", { accounts: [account], limit: RECENT });
  const isOurs = ({ message }) => (message.chat?.id ?? message.to) === name;
  const take = (event) => event.account === account && isOurs(event) && stream.current.take(event) && draw((before) => before + 1);
  useEffect(() => {
    const gap = (event) => event.account === account && (stream.current.gap(account, Date.now()), draw((before) => before + 1));
    const ends = [client.need({ events: ["channel.message"] }), client.on("channel.message", take), client.on("channel.gap", gap)];
    return () => ends.forEach((end) => end());
  }, []);
  useEffect(() => recent.data?.messages.toReversed().forEach(take), [recent.data]);
  return { rows: stream.current.rows, read: Boolean(recent.data), error: recent.error, again: recent.again };
}

/** The talk. */
export function PersonTalk({ account, name }) {
  const { rows, read, error, again } = useTalk(account, name);
  const row = accountOf(account).value;
  if (!row) return html`<${Empty} title=${`There is no account ${account}`} />`;
  return html`<div class="conversation">
    <p class="note">As <b>${name}</b>, to <a href=${href("account", account)}>${account}</a> <${Phase} row=${row} /></p>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    <${Transcript}>
      ${read && !rows.length && html`<${Empty} title="Nothing has been said yet, as far as the gateway remembers" />`}
      <ol>
        ${rows.map(
          (each) => html`<li key=${each.key} class=${`entry ${each.direction === "in" ? "user" : "assistant"}`}>
            <p class="by">${each.direction === "in" ? name : account} <span class="faint"><${Time} at=${each.at} /></span></p>
            <${Text} text=${each.text} />
            ${each.direction === "in" && html`<p class="faint"><a href=${href("messages", account, each.cursor)}>What became of it</a></p>`}
          </li>`,
        )}
      </ol>
    <//>
    ${may("admin") ? html`<${Line} row=${row} name=${name} />` : html`<p class="faint">This browser may read, but not write: it lacks operator.admin.</p>`}
  </div>`;
}

function Line({ row, name }) {
  const field = useRef(null);
  const [state, setState] = useState({ busy: false, wrong: "" });
  useEffect(() => field.current.focus(), []);
  const send = async (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (!text || state.busy) return;
    setState({ busy: true, wrong: "" });
    field.current.value = ""; // what is typed meanwhile is the next one
    try {
      await client.request("local.say", { accountId: row.accountId, name, text });
      setState({ busy: false, wrong: "" });
    } catch (error) {
      if (field.current) field.current.value = [text, field.current.value].filter(Boolean).join(" ");
      setState({ busy: false, wrong: error.message });
    }
    field.current?.focus();
  };
  return html`${state.wrong && html`<p class="said" role="alert">${state.wrong}</p>`}
    <form class="composer" onSubmit=${send}>
      <input ref=${field} class="line" aria-label=${`Say as ${name}`} placeholder=${`Say something as ${name}`} maxlength="10000" autocomplete="off" />
      <button type="submit" class="button primary" disabled=${state.busy || row.phase !== "running"}>${state.busy ? "Sending" : "Send"}</button>
    </form>`;
}
