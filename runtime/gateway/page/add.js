// Adds an account: its channel, its name and its fields, checked while they are typed.

import { All, Field, Review, doubtOf, issueOf, shapeOf, useCheck } from "./account_config.js";
import { keptFor, missingIn, nameOf, patchOf, resolve } from "./form.js";
import { html } from "./html.js";
import { useEffect, useMemo, useState } from "./libraries/hooks.js";
import { Failed, useConfigChanges, useRequest } from "./request.js";
import { go, href } from "./route.js";
import { may } from "./session.js";
import { useStay } from "./stay.js";
import { Button, Chip, Empty, Head, Unread } from "./ui.js";

const FIRST = 8; // the fields of the channel itself come first
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** The page: #/add, ?channel=irc. */
export function Page({ query }) {
  const file = useRequest("config.get");
  const described = useRequest("config.schema");
  useConfigChanges(file.again);
  const error = file.error ?? described.error;
  if (!may("admin")) return html`<section><${Head} title="Add an account" /><${Empty} title="This browser may not add accounts">It lacks operator.admin.<//></section>`;
  const again = () => [file, described].forEach((each) => each.again());
  if (!file.data || !described.data) {
    return html`<${Unread} title="Add an account" what="what channels there are" error=${error} onRetry=${again} />`;
  }
  const { schema } = described.data;
  const channels = Object.keys(resolve(schema, schema.properties.channels).properties ?? {}).sort();
  const channel = channels.includes(query.get("channel")) ? query.get("channel") : channels[0];
  return html`<section class="account">
    <${Head} title="Add an account" />
    <${Failed} of=${[file, described]} />
    <div class="chips" role="group" aria-label="Channel">
      ${channels.map((each) => html`<${Chip} key=${each} on=${each === channel} onClick=${() => go(href("add", { channel: each }), { replace: true })}>${each}<//>`)}
    </div>
    <${Form} channel=${channel} file=${file.data} described=${described.data} />
  </section>`;
}

let draft = { name: "", typed: {} }; // what was typed and not added when the page was left

function Form({ channel, file, described }) {
  const fields = useMemo(() => shapeOf(described, channel), [described, channel]);
  const [name, setName] = useState(draft.name);
  const [typed, setTyped] = useState(draft.typed); // at whatever channel: another one has some of the same fields
  useEffect(() => {
    draft = { name, typed };
  }, [name, typed]);
  const edits = useMemo(() => keptFor(channel, fields, typed), [channel, fields, typed]);
  const [all, setAll] = useState(false);
  const [review, setReview] = useState(false);
  const found = useMemo(() => patchOf(fields, {}, edits), [fields, edits]);
  useStay(Boolean(name) || Object.keys(typed).length > 0);
  const known = file.config?.channels?.[channel]?.accounts?.[name];
  const wrongName = !name ? "" : known ? `There is an account ${channel}:${name} already.` : NAME.test(name) ? "" : "Letters, digits, _ . and - only, at most 64.";
  const ready = name && !wrongName && Object.keys(found.errors).length === 0;
  const change = { channels: { [channel]: { accounts: { [name]: found.patch } } } };
  const check = useCheck(ready ? change : null, file.hash);
  const shown = fields.filter((field, at) => all || at < FIRST || field.kind === "secret" || field.needed || field.key in edits);
  const missing = missingIn(fields, file.config?.channels?.[channel], found.patch);
  const doubt = missing.length ? `does not start without ${missing.join(", ")}` : doubtOf(check);
  const valid = doubt ? `It may be added, but ${doubt}.` : "It is valid. Nothing else restarts.";
  const said = !name ? "It needs a name." : (check.error?.message ?? (check.answer ? valid : ready ? "Checking" : ""));
  const hostly = shown.some((field) => field.local) && file.config?.gateway?.remoteExec !== true;
  const byCommand = shown.some((field) => field.local && field.needed);
  return html`<form class="account-editor" onSubmit=${(event) => event.preventDefault()}>
    ${hostly && html`<p class="note">${byCommand ? `${channel} is added by a command on the gateway's host: it needs fields that are marked "host only". Fill in what you know: the command appears below.` : 'Leave the fields that are marked "host only" empty to add the account here: with one of them it is added by a command on the gateway\'s host, which appears below.'}</p>`}
    <div class="form">
      <label class="field"><span><b>Account</b> it becomes ${channel}:ACCOUNT</span><input value=${name} autocomplete="off" spellcheck="false" onInput=${(event) => setName(event.currentTarget.value.trim())} />${wrongName && html`<span class="said" role="alert">${wrongName}</span>`}</label>
      ${shown.map((field) => html`<${Field} key=${field.key} field=${field} text=${edits[field.key]} error=${found.errors[field.key] ?? issueOf(check, field.key)} onText=${(text) => setTyped((before) => ({ ...before, [nameOf(channel, field)]: text }))} />`)}
    </div>
    ${check.error?.details?.command && html`<pre class="command" tabindex="0">${check.error.details.command}</pre>`}
    <footer class="save">
      <span role="status" class=${check.error ? "bad" : ready && doubt ? "warn" : "faint"}>${said}</span>
      <${All} on=${all} onAll=${setAll} />
      <${Button} tone="primary" disabled=${!ready || Boolean(check.error)} onClick=${() => setReview(true)}>Review and add<//>
    </footer>
    ${review &&
    html`<${Review}
      title=${`Add ${channel}:${name}?`}
      done=${`${channel}:${name} is added, and starts.`}
      place=${`${channel}:${name}`}
      values=${{}}
      patch=${found.patch}
      change=${change}
      hash=${file.hash}
      secrets=${fields.filter((each) => each.kind === "secret").map((each) => each.key)}
      onClose=${() => setReview(false)}
      onSaved=${() => {
        draft = { name: "", typed: {} };
        go(href("fleet", { q: `${channel}:${name}` }));
      }}
    />`}
  </form>`;
}
