// Explains words that are taken for each other.

import { html } from "./html.js";

/** A mark beside a word that says what it means: by pointing at it, by the keyboard, by touch. */
export function Help({ text }) {
  return html`<button type="button" class="help" aria-label=${text} data-text=${text}>?</button>`;
}

/** What is counted as what: two words that are taken for each other. */
export const MEANINGS = {
  dropped:
    "What was thrown away on its way: it came twice, could not be read, or was for nobody who is there any more. Counted since the daemon began, of the gateway since that did. A message that arrived and got no answer is not among it: that is counted as not answered.",
  unanswered:
    "Messages that arrived and for which no agent was asked, because of the lists and policies of the account. They are in the stream of messages all the same. In the last 24 hours, as far as the gateway has run so long.",
};
