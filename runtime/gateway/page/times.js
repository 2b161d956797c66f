// Draws times that are over: how long ago something was, and when.

import { now } from "./clock.js";
import { html } from "./html.js";
import { ago, clock, exactly } from "./words.js";

/** How long ago something was, with the time in full as a tooltip. */
export function Ago({ at }) {
  if (!at) return html`<span class="faint">never</span>`;
  return html`<time title=${exactly(at)} datetime=${new Date(at).toISOString()}>${ago(at, now.value)}</time>`;
}

/** A time of day, with the time in full as a tooltip; nothing where there is none. */
export function Time({ at }) {
  return at && html`<time title=${exactly(at)} datetime=${new Date(at).toISOString()}>${clock(at, Date.now())}</time>`;
}

/** How many times something came, and since when; nothing if it came once. */
export function Times({ of: { times = 1, first } }) {
  return times > 1 ? html` <span class="faint">(${times} times since <${Time} at=${first} />)</span>` : null;
}
