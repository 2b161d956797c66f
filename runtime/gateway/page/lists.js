// Shows and changes the lists of one account: who is answered in direct chats, and in which groups.

import { html } from "./html.js";
import { useEffect, useState } from "./libraries/hooks.js";
import { WithPaths } from "./paths.js";
import { SAVE, useRequest } from "./request.js";
import { href } from "./route.js";
import { client, may } from "./session.js";
import { Time } from "./times.js";
import { Button, Dialog, Failure, toast } from "./ui.js";
import { idsIn, patchOf } from "./list_patch.js";
import { caseOf, doorOf, writersOf } from "./writers.js";
import { capital } from "./words.js";

const DM = { pairing: "pairing: those whom the owner approves", allowlist: "allowlist: those who are listed", open: "open: everybody, or those who are listed", disabled: "disabled: nobody" };
const GROUP = { allowlist: "allowlist: groups that are listed", open: "open: all groups", disabled: "disabled: none" };

const ELSEWHERE = "These lists have been changed elsewhere meanwhile, and a save would take that back. Note what you have typed, close this, and open it again.";

/**
 * The lists of one account, as a dialog; saving changes the configuration, no account restarts.
 * `newest` is what is known of the account by now; what is typed changes what stood there at first.
 */
export function Lists({ entry: newest, onClose, onSaved }) {
  const [entry] = useState(newest);
  const [form, setForm] = useState(() => formOf(entry));
  const [state, setState] = useState({ busy: "", error: null });
  const { patch, places } = patchOf(entry, form);
  const elsewhere = !state.busy && isOther(entry, newest); // while it is saved the change is this one
  const changed = places.length > 0;
  const set = (changes) => setForm((before) => ({ ...before, ...changes }));
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: "Checking", error: null });
    try {
      const { hash } = await client.request("config.get"); // first: what changes after it is refused
      const { accounts } = await client.request("channels.access", { channel: entry.account.split(":")[0] });
      if (isOther(entry, accounts.find((each) => each.account === entry.account))) throw new Error(ELSEWHERE);
      setState({ busy: "Saving", error: null });
      await client.request("config.patch", { raw: JSON.stringify(patch), baseHash: hash }, SAVE);
      toast(`${entry.account}: the lists count from the next message on`);
      onSaved();
      onClose();
    } catch (error) {
      setState({ busy: "", error });
    }
  };
  const able = may("admin");
  return html`<${Dialog} title=${`Who may talk to ${entry.account}`} wide onClose=${onClose}>
    ${newest.closed.map((each) => html`<p key=${each} class="said"><${WithPaths} text=${capital(each)} />.</p>`)}
    ${newest.dropped.length > 0 &&
    html`<p>Not answered in the last 24 hours: ${newest.dropped.map((each) => `${each.count} (${each.text})`).join(", ")}. <a href=${href("messages", { q: entry.account, direction: "in" })}>What came in at this account</a></p>`}
    ${newest.dropped.length > 0 && html`<${Refused} account=${entry.account} able=${able} onLetIn=${({ list, line }) => set({ [list]: idsIn(`${form[list]}\n${line}`).join("\n") })} />`}
    <form onSubmit=${save} class="lists">
      <fieldset disabled=${!able || Boolean(state.busy)}>
        <legend>Direct chats</legend>
        <${Choice} label="Who is answered" name="dmPolicy" options=${DM} value=${form.dmPolicy} source=${entry.sources.dmPolicy} onValue=${(dmPolicy) => set({ dmPolicy })} />
        <${Ids} label="Listed people, one id on each line" value=${form.allowFrom} source=${entry.sources.allowFrom} onValue=${(allowFrom) => set({ allowFrom })} hint="* means everybody. unverified:NAME takes whoever uses that name." />
      </fieldset>
      <fieldset disabled=${!able || Boolean(state.busy)}>
        <legend>Groups</legend>
        <${Choice} label="Which groups are heard" name="groupPolicy" options=${GROUP} value=${form.groupPolicy} source=${entry.sources.groupPolicy} onValue=${(groupPolicy) => set({ groupPolicy })} />
        <${Ids} label=${`Listed in ${entry.groupsField}, one id on each line`} value=${form.groups} source=${entry.sources[entry.groupsField]} onValue=${(groups) => set({ groups })} hint="* means every other group. What is set for a group stays with it as long as its line does." />
        <${Ids} label="People who are answered in groups, one id on each line" value=${form.groupAllowFrom} source=${entry.sources.groupAllowFrom} onValue=${(groupAllowFrom) => set({ groupAllowFrom })} hint="Empty and never set: everybody in them." />
      </fieldset>
      ${!able && html`<p class="faint">This browser may look, but not change it: it lacks operator.admin.</p>`}
      ${warnings(form).map((each) => html`<p key=${each} class="warn">${each}</p>`)}
      ${changed && html`<p class="note">Changes ${places.map((each, at) => html`${at ? ", " : ""}<code key=${each}>${each}</code>`)}. It counts for the next message; nothing restarts.</p>`}
      ${elsewhere && html`<p class="said" role="alert">${ELSEWHERE}</p>`}
      ${state.error && !elsewhere && html`<p class="said" role="alert">${state.error.message}</p>`}
      <footer>
        <button type="button" class="button" onClick=${onClose}>Close</button>
        <button type="submit" class="button primary" disabled=${!changed || !able || elsewhere || Boolean(state.busy)}>${state.busy || "Save"}</button>
      </footer>
    </form>
  <//>`;
}

/** Return those of the writers who are not answered, each with what `channels.why` says of it. */
async function refusedOf(account, writers) {
  const at = account.indexOf(":");
  const asked = writers.map(async (writer) => {
    const { id, chat, guild, roles } = writer;
    const params = { channel: account.slice(0, at), accountId: account.slice(at + 1), senderId: id, ...(chat ? { chat } : {}), ...(guild ? { guild: String(guild) } : {}), ...(roles ? { roles } : {}) };
    const { cases } = await client.request("channels.why", params);
    return { writer, found: caseOf(cases, writer) };
  });
  return (await Promise.all(asked)).filter(({ found }) => found?.outcome === "drop");
}

/** Who has written lately and is not answered as the lists are; `onLetIn` puts somebody on one. */
function Refused({ account, able, onLetIn }) {
  const recent = useRequest("messages.recent", { accounts: [account], limit: 300 });
  const [state, setState] = useState({ refused: null, error: null });
  useEffect(() => {
    if (!recent.data) return undefined;
    let shown = true;
    refusedOf(account, writersOf(recent.data.messages)).then(
      (refused) => shown && setState({ refused, error: null }),
      (error) => shown && setState({ refused: null, error }),
    );
    return () => (shown = false);
  }, [recent.data]);
  const error = recent.error ?? state.error;
  if (error) return html`<${Failure} error=${error} onRetry=${recent.again} />`;
  if (!state.refused) return html`<p class="faint" role="status">Looking up who that was</p>`;
  if (!state.refused.length) return html`<p class="faint">Who that was is not known any more: the gateway has no message of theirs in memory, or answers them by now.</p>`;
  return html`<ul class="lines" aria-label="Who wrote lately and is not answered">
    ${state.refused.map(({ writer, found }) => {
      const door = doorOf(writer, found);
      return html`<li key=${writer.id + writer.chat}>
        <span class="faint"><${Time} at=${writer.at} /></span>
        <span><b><bdi>${writer.name || writer.id}</bdi></b>${writer.name && ` (${writer.id})`}${writer.chat && ` in ${writer.chat}`}: ${found.text}</span>
        ${able && door && html`<${Button} onClick=${() => onLetIn(door)}>${door.list === "groups" ? "Let the group in" : "Let in"}<//>`}
      </li>`;
    })}
  </ul>`;
}

/** Return what a person should know of lists that let nobody in. */
function warnings({ dmPolicy, groupPolicy, allowFrom, groups }) {
  const found = [];
  if (dmPolicy === "allowlist" && !idsIn(allowFrom).length) found.push("With this, nobody is answered in direct chats: the policy is allowlist and nobody is listed.");
  if (groupPolicy === "allowlist" && !idsIn(groups).length) found.push("With this, no group is answered: the policy is allowlist and no group is listed.");
  return found;
}

/** Return whether the lists of an account are no longer those that a form was made from. */
function isOther(entry, newest) {
  const listed = (of) => of && JSON.stringify([formOf(of), of.sources]);
  return listed(entry) !== listed(newest);
}

function formOf(entry) {
  return {
    dmPolicy: entry.dmPolicy,
    groupPolicy: entry.groupPolicy,
    allowFrom: (entry.allowFrom ?? []).join("\n"),
    groupAllowFrom: (entry.groupAllowFrom ?? []).join("\n"),
    groups: Object.keys(entry.groups).join("\n"),
  };
}

function Source({ source }) {
  return html`<span class="faint"> · ${source ? html`set at <code>${source}</code>` : "not set"}</span>`;
}

function Choice({ label, name, options, value, source, onValue }) {
  return html`<label class="field">
    <span>${label} <${Source} source=${source} /></span>
    <select name=${name} value=${value} onChange=${(event) => onValue(event.currentTarget.value)}>
      ${Object.entries(options).map(([each, text]) => html`<option key=${each} value=${each} selected=${each === value}>${text}</option>`)}
    </select>
  </label>`;
}

function Ids({ label, value, source, hint, onValue }) {
  return html`<label class="field">
    <span>${label} <${Source} source=${source} /></span>
    <textarea rows="4" spellcheck="false" value=${value} onInput=${(event) => onValue(event.currentTarget.value)}></textarea>
    <span class="faint">${hint}</span>
  </label>`;
}
