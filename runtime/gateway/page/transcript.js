// Draws what was said in a conversation. Text becomes nodes: nothing of it is ever read as HTML.

import { html } from "./html.js";
import { useLayoutEffect, useRef } from "./libraries/hooks.js";
import { blocksOf, piecesOf } from "./marks.js";
import { Time } from "./times.js";

const NEAR = 40; // pixels from the end: whoever is that near reads the newest

/**
 * The box in which stands what was said. It follows the newest, except while somebody reads further
 * up; `follows`, a ref, says whether it does.
 */
export function Transcript({ follows, children }) {
  const place = useRef(null);
  const own = useRef(true);
  const following = follows ?? own;
  useLayoutEffect(() => {
    if (following.current) place.current.scrollTop = place.current.scrollHeight;
  });
  const scrolled = ({ currentTarget: at }) => {
    following.current = at.scrollTop + at.clientHeight > at.scrollHeight - NEAR;
  };
  return html`<div class="transcript" ref=${place} tabindex="0" role="log" aria-label="What was said" onScroll=${scrolled}>${children}</div>`;
}

/** A text with its code, bold words and addresses. */
export function Text({ text }) {
  return blocksOf(text).map((block, at) =>
    block.pieces
      ? html`<p key=${at} class="words">${block.pieces.map(drawn)}</p>`
      : html`<pre key=${at} class="code" tabindex="0" aria-label=${block.language || "code"}>${block.code}</pre>`,
  );
}

/** A line with its code, bold words and addresses. */
export function Pieces({ text }) {
  return piecesOf(text).map(drawn);
}

function drawn(piece, at) {
  if (typeof piece === "string") return piece;
  if (piece.code !== undefined) return html`<code key=${at}>${piece.code}</code>`;
  if (piece.bold !== undefined) return html`<b key=${at}>${piece.bold}</b>`;
  return html`<a key=${at} href=${piece.address} target="_blank" rel="noopener noreferrer">${piece.address}</a>`;
}

/** One entry of `chat.history`. */
export function Entry({ entry }) {
  const { role, timestamp } = entry;
  const text = textOf(entry);
  const calls = Array.isArray(entry.content) ? entry.content.filter((each) => each.type === "toolCall") : [];
  const about = entry.__openclaw ?? {};
  if (role === "toolResult") {
    return html`<li class="entry tool"><details><summary>${entry.toolName || "A tool"} has answered</summary><pre class="code" tabindex="0">${text}</pre></details></li>`;
  }
  if (role === "custom") return html`<li class="entry notice"><p class="words">${text}</p></li>`;
  return html`<li class=${`entry ${role}`}>
    <p class="by">${role === "user" ? (about.sender?.id ?? "You, or another client") : "Agent"} <span class="faint"><${Time} at=${timestamp} /></span></p>
    ${text && html`<${Text} text=${text} />`}
    ${calls.map((call, at) => html`<details key=${at} class="call"><summary>uses ${call.name}</summary><pre class="code" tabindex="0">${JSON.stringify(call.arguments ?? {}, null, 2)}</pre></details>`)}
    ${about.attachments?.length ? html`<p class="faint">${about.attachments.map((file) => `[${file.name ?? file.kind ?? "file"}]`).join(" ")}</p>` : null}
    ${about.truncated && html`<p class="faint">Longer than what is shown here.</p>`}
  </li>`;
}

/** Return the text of an entry, or of a message of an event. */
export function textOf(entry) {
  if (typeof entry?.content === "string") return entry.content;
  return (entry?.content ?? []).filter((each) => each.type === "text").map((each) => each.text).join("\n");
}
