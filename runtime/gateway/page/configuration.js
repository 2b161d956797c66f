// Edits the whole configuration as text: checks it while it is typed, explains it by its schema, and
// shows the difference before it is saved.

import { isLong, spread } from "./diff.js";
import { Diff } from "./difference.js";
import { html } from "./html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./libraries/hooks.js";
import { Failed, SAVE, useConfigChanges, useRequest } from "./request.js";
import { client, hello, may } from "./session.js";
import { SchemaHelp } from "./schema_help.js";
import { useStay } from "./stay.js";
import { Button, Dialog, Head, Unread, ask, toast } from "./ui.js";
import { count } from "./words.js";

const PAUSE_MS = 500; // in which nothing was typed, before the text is checked

let draft = null; // what was typed and not saved when the page was left: `{text, file}`

/** The page. */
export function Page() {
  const file = useRequest("config.get");
  const [loaded, setLoaded] = useState(null); // the file that the text was made from
  const [text, setText] = useState("");
  const [elsewhere, setElsewhere] = useState(false);
  const [showing, setShowing] = useState(false);
  const take = (data) => {
    setLoaded(data);
    setText(laidOut(data));
    setElsewhere(false);
  };
  const shown = useMemo(() => (loaded ? laidOut(loaded) : ""), [loaded]); // what the editor begins with
  const edited = loaded !== null && text !== shown;
  useEffect(() => {
    if (!file.data) return;
    if (!loaded && draft) {
      setText(draft.text);
      setLoaded(draft.file);
      setElsewhere(draft.file.hash !== file.data.hash);
    } else if (!loaded || !edited) take(file.data);
    else if (file.data.hash !== loaded.hash && file.data.raw === text) take(file.data); // it was saved, and the answer was lost
    else if (file.data.hash !== loaded.hash) setElsewhere(true);
  }, [file.data]);
  useLayoutEffect(() => {
    if (loaded) draft = edited ? { text, file: loaded } : null;
  }, [edited, text]);
  useConfigChanges(file.again);
  useStay(edited);
  const check = useCheck(edited ? text : null, loaded?.hash);
  if (!loaded) return html`<${Unread} title="Configuration" what="the file" error=${file.error} onRetry=${file.again} />`;
  const reset = async () => {
    if (edited && !(await ask({ title: "Drop what you have typed?", text: "The file stays as it is.", action: "Drop it", danger: true }))) return;
    take(file.data);
  };
  const able = may("admin");
  return html`<section class="fill configuration">
    <${Head} title="Configuration" note=${html`<code>${loaded.path}</code>`}>
      <${Button} disabled=${!edited && !elsewhere} onClick=${reset}>${elsewhere ? "Take the file's text" : "Undo all"}<//>
      <${Button} tone="primary" disabled=${!edited || !able || check.state !== "good" || elsewhere} onClick=${() => setShowing(true)}>Look at the changes, and save<//>
    <//>
    <${Failed} of=${[file]} />
    ${elsewhere && html`<p class="said" role="alert">The file has been changed elsewhere meanwhile: what you have typed was made from an older one. Copy it if you need it, then take the file's text.</p>`}
    ${!loaded.valid && html`<${Issues} title="The file as it is cannot be used; what is in force is older:" issues=${loaded.issues} />`}
    <${Doubts} found=${loaded.warnings} />
    ${!able && html`<p class="faint">This browser may look, but not change it: it lacks operator.admin.</p>`}
    <div class="two">
      <div class="editor">
        ${loaded.raw === null
          ? html`<p class="said">The text cannot be parsed, so that its secrets are not known and it is not shown. Correct it on the gateway's host: <code>${loaded.path}</code></p>`
          : html`<textarea
              aria-label="The configuration's text"
              spellcheck="false"
              autocomplete="off"
              readonly=${!able}
              value=${text}
              onInput=${(event) => setText(event.currentTarget.value)}
            ></textarea>`}
        ${shown !== (loaded.raw ?? "") && html`<p class="note">Its lines are long: here each field has one of its own. A save writes it like this.</p>`}
        <${Verdict} edited=${edited} check=${check} />
      </div>
      <${SchemaHelp} />
    </div>
    ${showing && html`<${Saving} before=${loaded.raw ?? ""} after=${text} hash=${loaded.hash} verdict=${check.answer} onClose=${() => setShowing(false)} onSaved=${async () => {
      setShowing(false);
      draft = null; // it is the file now
      setLoaded(null);
      file.again();
    }} />`}
  </section>`;
}

/** Return the file's text, with a line for each field where it has long ones; TOML stays as it is. */
function laidOut({ raw, path }) {
  return raw && isLong(raw) && !path.endsWith(".toml") ? spread(raw) : (raw ?? "");
}

/** Have a text checked when nothing was typed for a while: `{state, answer, error}`. */
function useCheck(text, hash) {
  const [check, setCheck] = useState({ state: "none" });
  const number = useRef(0);
  useEffect(() => {
    const mine = ++number.current;
    if (text === null || !may("admin")) {
      setCheck({ state: "none" });
      return undefined;
    }
    if (!text.trim()) {
      setCheck({ state: "bad", error: { message: "The text is empty. \"Undo all\" brings back what the file has.", details: {} } });
      return undefined;
    }
    setCheck((before) => ({ ...before, state: "waits" }));
    const timer = setTimeout(async () => {
      try {
        const answer = await client.request("config.validate", { raw: text, baseHash: hash });
        if (mine === number.current) setCheck({ state: "good", answer });
      } catch (error) {
        if (mine === number.current) setCheck({ state: "bad", error });
      }
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, hash, hello.value]); // in a new session again: it may be what the last one left unanswered
  return check;
}

function Issues({ title, issues, tone = "bad" }) {
  return html`<div class=${tone === "bad" ? "said issues" : "issues"} role="status">
    <p class=${tone}>${title}</p>
    <ul>${issues.map(({ path, line, message }, at) => html`<li key=${at}>${line ? `line ${line}: ` : ""}${path && html`<code>${path}</code> `}${message}</li>`)}</ul>
  </div>`;
}

/** What is valid and rarely intended. */
function Doubts({ found }) {
  return found?.length ? html`<${Issues} title="Works, but look at it:" tone="warn" issues=${found} />` : null;
}

function Verdict({ edited, check }) {
  if (!edited) return html`<p class="verdict faint" role="status">As it is in the file. Secrets are shown as <code>__OPENCLAW_REDACTED__</code>; a mark that stays keeps its secret.</p>`;
  if (check.state === "waits") return html`<p class="verdict faint" role="status">Being checked</p>`;
  if (check.state === "good") return html`<div class="verdict" role="status"><p class="ok">It can be used. ${effects(check.answer)}</p><${Doubts} found=${check.answer.doubts} /></div>`;
  if (check.state === "bad") {
    const issues = check.error.details.issues ?? [];
    if (check.error.details.command) {
      return html`<div class="verdict" role="status"><p class="bad">${check.error.message}</p><p>On the gateway's host:</p><pre class="command">${check.error.details.command}</pre></div>`;
    }
    return html`<div class="verdict" role="status">${issues.length ? html`<${Issues} title="It cannot be used:" issues=${issues} />` : html`<p class="bad">${check.error.message}</p>`}</div>`;
  }
  return null;
}

/** Return in words what a change would do. */
function effects({ added = [], removed = [], changed = [], gateway }) {
  const named = (keys) => (keys.length > 3 ? count(keys.length, "process", "processes") : keys.join(", "));
  const parts = [];
  if (added.length) parts.push(`starts ${named(added)}`);
  if (removed.length) parts.push(`ends and forgets ${named(removed)}`);
  if (changed.length) parts.push(`changes ${named(changed)}, with a restart where that is needed`);
  if (gateway === "restart") parts.push("restarts the gateway");
  if (gateway === "move") parts.push("moves the gateway to another address: this page loses it");
  return parts.length ? `Saving it ${parts.join(", ")}.` : "Saving it restarts nothing.";
}

function Saving({ before, after, hash, verdict, onClose, onSaved }) {
  const [state, setState] = useState({ busy: "", error: null });
  const save = async () => {
    setState({ busy: "Saving", error: null });
    try {
      await client.request("config.set", { raw: after, baseHash: hash }, SAVE);
      toast("Saved, and in force");
      onSaved();
    } catch (error) {
      setState({ busy: "", error });
    }
  };
  return html`<${Dialog} title="What changes" wide onClose=${onClose}>
    <p>${effects(verdict ?? {})}</p>
    <${Doubts} found=${verdict?.doubts} />
    <${Diff} before=${before} after=${after} />
    ${state.error && html`<p class="said" role="alert">${state.error.message}</p>`}
    <footer><${Button} onClick=${onClose}>Go on editing<//><${Button} tone=${verdict?.gateway === "move" || verdict?.removed?.length ? "danger" : "primary"} busy=${state.busy} onClick=${save}>Save<//></footer>
  <//>`;
}
