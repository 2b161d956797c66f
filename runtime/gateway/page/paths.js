// Draws the places of the configuration in a sentence as what they are.

import { html } from "./html.js";

/** A sentence with `channels.local.allowFrom` and the like in it as code. */
export function WithPaths({ text }) {
  return text.split(/(\bchannels\.\S*\w)/).map((piece, at) => (at % 2 ? html`<code key=${at}>${piece}</code>` : piece));
}
