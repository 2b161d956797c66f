// Explains the fields of the configuration by its schema, one place at a time.

import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { useRequest } from "./request.js";
import { Pieces } from "./transcript.js";
import { Failure } from "./ui.js";

/** The help: which fields there are at a place, and what they mean. */
export function SchemaHelp() {
  const [path, setPath] = useState("");
  const [typed, setTyped] = useState("");
  const whole = useRequest("config.schema", path ? null : {});
  const place = useRequest("config.schema.lookup", path ? { path } : null);
  const open = (to) => {
    setPath(to);
    setTyped(to);
  };
  const { data, error, again } = path ? place : whole;
  const crumbs = path ? path.split(".") : [];
  return html`<aside class="schema" aria-label="What the fields mean">
    <h2>What the fields mean</h2>
    <form
      onSubmit=${(event) => {
        event.preventDefault();
        open(typed.trim());
      }}
    >
      <label class="field">Place, such as channels.irc.accounts.*<input value=${typed} spellcheck="false" autocomplete="off" onInput=${(event) => setTyped(event.currentTarget.value)} /></label>
    </form>
    <p class="crumbs"><button type="button" class="quiet" onClick=${() => open("")}>all</button>${crumbs.map((each, at) => html`<span key=${at}>›<button type="button" class="quiet mono" onClick=${() => open(crumbs.slice(0, at + 1).join("."))}>${each}</button></span>`)}</p>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${data && html`<${Fields} found=${path ? data : { children: topOf(data) }} path=${path} onOpen=${open} />`}
    ${!data && !error && html`<p class="faint" role="status">Looking it up</p>`}
  </aside>`;
}

function topOf({ schema, uiHints }) {
  const of = (node) => (node.$ref ? (schema.$defs?.[node.$ref.split("/").pop()] ?? {}) : node);
  return Object.entries(of(schema).properties ?? {}).map(([key, node]) => ({ key, schema: of(node), hint: uiHints[key] }));
}

function Fields({ found, path, onOpen }) {
  const children = found.children ?? [];
  const schema = found.schema ?? {};
  return html`
    ${schema.description && html`<p><${Meaning} text=${schema.description} /></p>`}
    ${path && html`<p class="faint">${typeOf(schema)}${schema.default !== undefined ? `, default ${JSON.stringify(schema.default)}` : ""}</p>`}
    ${isLocal(found.hint) && html`<p class="warn">${HOST_ONLY}</p>`}
    <ul class="fields">
      ${children.map((child) => html`<li key=${child.key}>
        <button type="button" class="quiet mono" onClick=${() => onOpen(child.path ?? (path ? `${path}.${child.key}` : child.key))}>${child.key}${child.required ? " *" : ""}</button>
        ${isLocal(child.hint) && html`<b class="warn" title=${HOST_ONLY}>host only</b> `}<span class="faint">${typeOf(child.schema ?? child)}. <${Meaning} text=${(child.schema ?? child).description ?? ""} /></span>
      </li>`)}
    </ul>
    ${path && !children.length && html`<p class="faint">It has no fields of its own.</p>`}
  `;
}

const HOST_ONLY = "Changed by a command on the gateway's host, unless gateway.remoteExec is true: what is typed here is checked, and the command is shown.";

function isLocal(hint) {
  return Boolean(hint?.help); // the only fields of which a hint says anything
}

/** Return a meaning with its code marked as such. */
export function Meaning({ text }) {
  return html`<${Pieces} text=${text.replaceAll("``", "`").replaceAll("\n", " ")} />`;
}

/** Return the type of a place in words. */
function typeOf(schema) {
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  return schema.type ?? (schema.$ref ? "object" : "any value");
}
