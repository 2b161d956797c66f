// Edits the configuration of one account: in a form made from its channel's schema, or as JSON.
//
// Secrets are written and never read. What is to be saved is checked while it is typed, and shown as
// a difference before; then only this account restarts.

import { Diff } from "./difference.js";
import { difference, fieldsOf, hidden, merged, patchOf, resolve, secretState, textOf } from "./form.js";
import { html } from "./html.js";
import { useEffect, useMemo, useState } from "./libraries/hooks.js";
import { Failed, SAVE, useConfigChanges, useRequest } from "./request.js";
import { go, href } from "./route.js";
import { Meaning } from "./schema_help.js";
import { client, hello, may } from "./session.js";
import { useStay } from "./stay.js";
import { Button, Chip, Dialog, Empty, Failure, ask, toast } from "./ui.js";

const CHECK_MS = 500;

/** The tab: reads the file and its schema, then shows the form. */
export function AccountConfiguration({ row }) {
  const file = useRequest("config.get");
  const described = useRequest("config.schema");
  useConfigChanges(file.again);
  const failure = html`<${Failed} of=${[file, described]} />`;
  const error = file.error ?? described.error;
  if (!file.data || !described.data) return error ? failure : html`<p class="faint" role="status">Reading the configuration</p>`;
  const section = file.data.config?.channels?.[row.channel];
  const values = section?.accounts?.[row.accountId];
  if (!values) {
    return html`<${Empty} title="It has no entry of its own">
      What it is configured with stands at <code>channels.${row.channel}</code> itself: see <a href=${href("configuration")}>the whole file</a>.
    <//>`;
  }
  return html`${failure}<${Editor} row=${row} file=${file.data} described=${described.data} values=${values} onSaved=${file.again} />`;
}

/** Return the fields of the accounts of a channel. */
export function shapeOf({ schema, uiHints }, channel) {
  const channels = resolve(schema, resolve(schema, schema.properties.channels).properties?.[channel]);
  const account = resolve(schema, resolve(schema, channels.properties?.accounts).additionalProperties);
  return fieldsOf(schema, account, (key) => uiHints[`channels.${channel}.accounts.*.${key}`]);
}

const drafts = new Map(); // by account: what was typed and not saved when its form was left, and what stood there then

function Editor({ row, file, described, values, onSaved }) {
  const fields = useMemo(() => shapeOf(described, row.channel), [described, row.channel]);
  const draft = drafts.get(row.account);
  const [edits, setEdits] = useState(draft?.edits ?? {});
  const [raw, setRaw] = useState(draft?.raw ?? null); // the text, where it is edited as JSON
  const now = JSON.stringify(values);
  const [before, setBefore] = useState(draft?.before ?? now); // what stood there when the first of it was typed
  const [all, setAll] = useState(false);
  const [review, setReview] = useState(false);
  const found = useMemo(() => (raw === null ? patchOf(fields, values, edits) : fromJson(values, raw)), [fields, values, edits, raw]);
  const number = Object.keys(found.patch).length;
  const wrong = Object.keys(found.errors).length > 0;
  const change = { channels: { [row.channel]: { accounts: { [row.accountId]: found.patch } } } };
  const admin = may("admin");
  const check = useCheck(admin && number && !wrong ? change : null, file.hash);
  const edited = number > 0 || wrong;
  useEffect(() => {
    if (edited) drafts.set(row.account, { edits, raw, before });
    else drafts.delete(row.account);
  }, [edits, raw, edited, before]);
  useEffect(() => {
    if (!edited) setBefore(now);
  }, [edited, now]);
  useStay(edited);
  const undo = () => {
    setEdits({});
    setRaw(null);
  };
  const saved = () => {
    undo();
    onSaved();
  };
  const set = (key, text) => setEdits((before) => ({ ...before, [key]: text }));
  const shown = fields.filter((field) => all || field.key in values || field.key in edits || (check.issues ?? []).some((issue) => issue.path.endsWith(`.${field.key}`)));
  const open = file.config?.gateway?.remoteExec === true; // then local fields change from here, too
  const remove = async () => {
    const text = "Its entry is taken out of the configuration and its process ends. What is stored of its messages stays.";
    if (!(await ask({ title: `Remove ${row.account}?`, text, action: `Remove ${row.account}`, danger: true }))) return;
    try {
      const patch = { channels: { [row.channel]: { accounts: { [row.accountId]: null } } } };
      await client.request("config.patch", { raw: JSON.stringify(patch), baseHash: file.hash }, SAVE);
      toast(`${row.account} is removed`);
      go(href("fleet"));
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  return html`<div class="account-editor">
    <div class="chips" role="group" aria-label="How it is shown">
      <${Chip} on=${raw === null} onClick=${() => setRaw(null)}>Form<//>
      <${Chip} on=${raw !== null} onClick=${() => setRaw(JSON.stringify(merged(values, raw === null && !wrong ? hiddenless(found.patch, fields) : {}), null, 2))}>JSON<//>
      ${raw === null && html`<${All} on=${all} onAll=${setAll} />`}
      <a href=${href("configuration")}>The whole file</a>
    </div>
    ${raw === null
      ? html`<form class="form" onSubmit=${(event) => event.preventDefault()}>${shown.map((field) => html`<${Field} key=${field.key} field=${field} locked=${field.local && !open && commandFor(file.patchCommand, row, field, values[field.key])} value=${values[field.key]} text=${edits[field.key]} error=${found.errors[field.key] ?? issueOf(check, field.key)} onText=${(text) => set(field.key, text)} />`)}
          ${!shown.length && html`<p class="faint">No field is set: everything is as the channel's section and the defaults have it.</p>`}</form>`
      : html`<label class="field">The account as JSON; secrets stand as marks, which keep them<textarea rows="18" spellcheck="false" value=${raw} onInput=${(event) => setRaw(event.currentTarget.value)}></textarea></label>
          ${found.errors.json && html`<p class="said" role="alert">${found.errors.json}</p>`}`}
    ${edited && before !== now && html`<p class="said" role="alert">The account has been changed elsewhere meanwhile. What you have typed is kept; the review shows what a save would change, also back.</p>`}
    <footer class="save">
      <span role="status" class=${check.error ? "bad" : doubtOf(check) ? "warn" : "faint"}>${admin ? sayCheck(number, wrong, check) : "This browser may look, but not change it: it lacks operator.admin."}</span>
      ${edited && html`<${Button} onClick=${undo}>Undo<//>`}
      <${Button} tone="primary" disabled=${!admin || !number || wrong || Boolean(check.error)} onClick=${() => setReview(true)}>Review and save<//>
    </footer>
    ${admin && html`<section class="apart" aria-labelledby="remove"><h2 id="remove">Remove this account</h2><p class="faint">Its entry goes out of the configuration and its process ends. What is stored of its messages stays.</p><${Button} tone="danger" onClick=${remove}>Remove account<//></section>`}
    ${review && html`<${Review} title=${`Save the configuration of ${row.account}?`} done=${`Saved. ${row.account} restarts with it.`} values=${values} patch=${found.patch} change=${change} hash=${file.hash} secrets=${fields.filter((each) => each.kind === "secret").map((each) => each.key)} onClose=${() => setReview(false)} onSaved=${saved} />`}
  </div>`;
}

/** A patch without what was typed as a secret: that is not shown as JSON. */
function hiddenless(patch, fields) {
  const secrets = new Set(fields.filter((each) => each.kind === "secret").map((each) => each.key));
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !secrets.has(key)));
}

function fromJson(values, raw) {
  try {
    const after = JSON.parse(raw);
    if (typeof after !== "object" || after === null || Array.isArray(after)) throw new Error("an account is an object: { … }");
    return { patch: difference(values, after), errors: {} };
  } catch (error) {
    return { patch: {}, errors: { json: error.message } };
  }
}

/** Ask the gateway what a change would do, a moment after the last key: `{answer, issues}` or `{error, issues}`. */
export function useCheck(change, baseHash) {
  const [found, setFound] = useState({});
  const text = change ? JSON.stringify(change) : "";
  useEffect(() => {
    setFound({});
    if (!text) return undefined;
    let shown = true;
    const timer = setTimeout(async () => {
      try {
        const answer = await client.request("config.validate", { raw: text, baseHash, patch: true });
        if (shown) setFound({ answer, issues: answer.doubts });
      } catch (error) {
        if (shown) setFound({ error, issues: error.details?.issues });
      }
    }, CHECK_MS);
    return () => {
      shown = false;
      clearTimeout(timer);
    };
  }, [text, baseHash, hello.value]); // in a new session again: it may be what the last one left unanswered
  return found;
}

/** Return what the gateway says about a field, if anything. */
export function issueOf(check, key) {
  return (check.issues ?? []).find((issue) => issue.path.split(".").includes(key))?.message;
}

/** Return what is doubtful of a valid change, if anything: `botToken is not a bot token: …`. */
export function doubtOf({ answer }) {
  return (answer?.doubts ?? []).map(({ path, message }) => `${path.split(".").pop()} ${message}`).join("; ");
}

function sayCheck(number, wrong, { answer, error }) {
  if (wrong) return "Something cannot be read; it is said at its field.";
  if (!number) return "Nothing has been changed.";
  if (error) return error.message;
  if (!answer) return "Checking";
  if (doubtOf({ answer })) return `It may be saved, but ${doubtOf({ answer })}.`;
  const restarts = [...(answer.changed ?? []), ...(answer.added ?? [])];
  return restarts.length ? `It is valid. ${restarts.join(", ")} restarts, nothing else.` : "It is valid. Nothing restarts.";
}

/** The switch between the fields that are set and all there are. */
export function All({ on, onAll }) {
  return html`<label class="inline"><input type="checkbox" checked=${on} onChange=${(event) => onAll(event.currentTarget.checked)} /> show all fields</label>`;
}

/** Return the command that changes a field on the gateway's host, with the value that it has now. */
function commandFor(command, { channel, accountId }, { key, kind }, value) {
  if (kind === "secret") return `${command} -`; // reads the change: a shell remembers what is typed
  const now = value === undefined ? "VALUE" : value;
  const change = JSON.stringify({ channels: { [channel]: { accounts: { [accountId]: { [key]: now } } } } });
  return `${command} '${change.replaceAll("'", "'\\''")}'`;
}

/** A field that is changed on the gateway's host only: what it is, and how that is done. */
function Locked({ field: { key, kind, fallback, help }, value, command }) {
  const text = kind === "secret" ? secretState(value) : textOf(kind, value);
  const unset = fallback === undefined || fallback === null ? "not set" : `default: ${JSON.stringify(fallback)}`;
  return html`<div class="field locked">
    <span><b class="mono">${key}</b> changes on the gateway's host only</span>
    <output class="mono">${text || unset}</output>
    ${help && html`<span><${Meaning} text=${help} /></span>`}
    <details><summary>How to change it there</summary><p>${kind === "secret" ? "Run there, and type the change as JSON:" : "Run there, with another value:"}</p><pre class="command" tabindex="0">${command}</pre></details>
  </div>`;
}

/**
 * One field of the form; `text` is what was typed, `value` what the file has. With `locked`, a
 * command, it cannot be changed from here.
 */
export function Field({ field, value, text, error, locked, onText }) {
  if (locked) return html`<${Locked} field=${field} value=${value} command=${locked} />`;
  const { key, kind, choices, fallback, help, local, needed } = field;
  const shown = text ?? textOf(kind, value);
  const input = (event) => onText(event.currentTarget.value);
  const unset = fallback === undefined || fallback === null ? "not set" : `default: ${JSON.stringify(fallback)}`;
  const options = kind === "switch" ? [["true", "yes"], ["false", "no"]] : choices.map((each) => [String(each), String(each)]);
  const control = (about) =>
    kind === "switch" || kind === "choice"
      ? html`<select aria-describedby=${about} value=${shown} onChange=${input}><option value="" selected=${shown === ""}>${unset}</option>${options.map(([each, word]) => html`<option key=${each} value=${each} selected=${each === shown}>${word}</option>`)}</select>`
      : kind === "lines" || kind === "json"
        ? html`<textarea aria-describedby=${about} rows=${Math.min(10, Math.max(2, shown.split("\n").length))} spellcheck="false" value=${shown} placeholder=${unset} onInput=${input}></textarea>`
        : html`<input aria-describedby=${about} type=${kind === "secret" ? "password" : "text"} inputmode=${kind === "number" ? "decimal" : null} autocomplete="off" spellcheck="false" value=${shown} placeholder=${kind === "secret" ? secretState(value) : unset} onInput=${input} />`;
  const notes = [needed ? "needed" : "", kind === "lines" ? "one a line" : "", kind === "json" ? "as JSON" : "", kind === "secret" && value !== undefined ? "what is typed replaces it" : "", local ? "host only" : ""].filter(Boolean);
  return html`<div class="field"><label><span><b class="mono">${key}</b> ${notes.join(", ")}</span>${control(help ? `about-${key}` : null)}</label>${help && html`<span id=${`about-${key}`}><${Meaning} text=${help} /></span>`}${error && html`<span class="said" role="alert">${error}</span>`}</div>`;
}

/** The difference before a change is saved, and the saving of it; `place` names an entry that is new. */
export function Review({ place, title, done, values, patch, change, hash, secrets, onClose, onSaved }) {
  const [busy, setBusy] = useState("");
  const [error, setError] = useState(null);
  const text = (object) => JSON.stringify(object, null, 2);
  const shown = merged(values, hidden(patch, secrets));
  const save = async () => {
    setBusy("Saving");
    try {
      await client.request("config.patch", { raw: JSON.stringify(change), baseHash: hash }, SAVE);
      toast(done);
      onClose();
      onSaved();
    } catch (failed) {
      setError(failed);
      setBusy("");
    }
  };
  return html`<${Dialog} title=${title} wide onClose=${onClose}>
    <${Diff} before=${place ? "" : text(values)} after=${text(place ? { [place]: shown } : shown)} />
    ${error && html`<${Failure} error=${error} />`}
    ${error?.details?.command && html`<p>On the gateway's host:</p><pre class="command">${error.details.command}</pre>`}
    <footer><${Button} onClick=${onClose}>Back<//><${Button} tone="primary" busy=${busy} onClick=${save}>Save<//></footer>
  <//>`;
}
