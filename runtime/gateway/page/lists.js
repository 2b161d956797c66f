// Shows and changes the lists of one account: who is answered in direct chats, and in which groups.

import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { client, may } from "./session.js";
import { Dialog, toast } from "./ui.js";
import { idsIn, patchOf } from "./list_patch.js";
import { capital } from "./words.js";

const DM = { pairing: "pairing: those whom the owner approves", allowlist: "allowlist: those who are listed", open: "open: everybody, or those who are listed", disabled: "disabled: nobody" };
const GROUP = { allowlist: "allowlist: groups that are listed", open: "open: all groups", disabled: "disabled: none" };

/** The lists of one account, as a dialog; saving changes the configuration, no account restarts. */
export function Lists({ entry, onClose, onSaved }) {
  const [form, setForm] = useState(() => formOf(entry));
  const [state, setState] = useState({ busy: "", error: null });
  const { patch, places } = patchOf(entry, form);
  const changed = places.length > 0;
  const set = (changes) => setForm((before) => ({ ...before, ...changes }));
  const save = async (event) => {
    event.preventDefault();
    setState({ busy: "Checking", error: null });
    try {
      const { hash } = await client.request("config.get");
      setState({ busy: "Saving", error: null });
      await client.request("config.patch", { raw: JSON.stringify(patch), baseHash: hash });
      toast(`${entry.account}: the lists count from the next message on`);
      onSaved();
      onClose();
    } catch (error) {
      setState({ busy: "", error });
    }
  };
  const able = may("admin");
  return html`<${Dialog} title=${`Who may talk to ${entry.account}`} wide onClose=${onClose}>
    ${entry.closed.map((each) => html`<p key=${each} class="said">${capital(each)}.</p>`)}
    ${entry.dropped.length > 0 &&
    html`<p>Not answered in the last 24 hours: ${entry.dropped.map((each) => `${each.count} (${each.text})`).join(", ")}.</p>`}
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
      ${state.error && html`<p class="said" role="alert">${state.error.message}</p>`}
      <footer>
        <button type="button" class="button" onClick=${onClose}>Close</button>
        <button type="submit" class="button primary" disabled=${!changed || !able || Boolean(state.busy)}>${state.busy || "Save"}</button>
      </footer>
    </form>
  <//>`;
}

/** Return what a person should know of lists that let nobody in. */
function warnings({ dmPolicy, groupPolicy, allowFrom, groups }) {
  const found = [];
  if (dmPolicy === "allowlist" && !idsIn(allowFrom).length) found.push("With this, nobody is answered in direct chats: the policy is allowlist and nobody is listed.");
  if (groupPolicy === "allowlist" && !idsIn(groups).length) found.push("With this, no group is answered: the policy is allowlist and no group is listed.");
  return found;
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
