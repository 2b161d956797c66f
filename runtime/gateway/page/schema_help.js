// Explains the fields of the configuration by its schema, one place at a time.

import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { Pieces } from "./transcript.js";
import { Failure, useRequest } from "./ui.js";

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

function topOf({ schema }) {
  const of = (node) => (node.$ref ? (schema.$defs?.[node.$ref.split("/").pop()] ?? {}) : node);
  return Object.entries(of(schema).properties ?? {}).map(([key, node]) => ({ key, schema: of(node) }));
}

function Fields({ found, path, onOpen }) {
  const children = found.children ?? [];
  const schema = found.schema ?? {};
  return html`
    ${meaningOf(schema, found.hint) && html`<p><${Meaning} text=${meaningOf(schema, found.hint)} /></p>`}
    ${path && html`<p class="faint">${typeOf(schema)}${schema.default !== undefined ? `, default ${JSON.stringify(schema.default)}` : ""}</p>`}
    <ul class="fields">
      ${children.map((child) => html`<li key=${child.key}>
        <button type="button" class="quiet mono" onClick=${() => onOpen(child.path ?? (path ? `${path}.${child.key}` : child.key))}>${child.key}${child.required ? " *" : ""}</button>
        <span class="faint">${typeOf(child.schema ?? child)}. <${Meaning} text=${meaningOf(child.schema ?? child, child.hint)} /></span>
      </li>`)}
    </ul>
    ${path && !children.length && html`<p class="faint">It has no fields of its own.</p>`}
  `;
}

/** Return what a place means, and who may change it. */
function meaningOf(schema, hint) {
  return [schema.description, hint?.help].filter(Boolean).join(" ");
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
