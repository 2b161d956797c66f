// Explains words that are taken for each other.

import { html } from "./html.js";
import { useEffect, useId, useState } from "./libraries/hooks.js";

/**
 * A mark beside a word that says what it means: while one points at it, and from a click, Enter or a
 * touch on until the next one. Escape closes it, and the mark keeps the keyboard.
 */
export function Help({ word }) {
  const [pointed, point] = useState(false);
  const [opened, open] = useState(false);
  const id = useId();
  const shown = pointed || opened;
  const close = () => {
    point(false);
    open(false);
  };
  useEffect(() => {
    if (!shown) return undefined;
    const onKey = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation(); // it closes this, not the dialog or what else listens to it
      close();
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, [shown]);
  const byMouse = (event) => event.pointerType === "mouse"; // a finger points only while it touches
  return html`<span class="explained" onPointerEnter=${(event) => byMouse(event) && point(true)} onPointerLeave=${() => point(false)}>
    <button type="button" class="help" aria-label=${`What “${word}” means`} aria-expanded=${shown ? "true" : "false"} aria-describedby=${id} onClick=${() => open(!opened)} onBlur=${() => open(false)}>?</button>
    <span id=${id} class="meaning" hidden=${!shown}>${MEANINGS[word]}</span>
  </span>`;
}

/** What is counted as what: two words that are taken for each other. */
const MEANINGS = {
  dropped:
    "What was thrown away on its way: it came twice, could not be read, or was for nobody who is there any more. Counted since the daemon began, of the gateway since that did. A message that arrived and got no answer is not among it: that is counted as not answered.",
  "not answered":
    "Messages that arrived and for which no agent was asked, because of the lists and policies of the account. They are in the stream of messages all the same. In the last 24 hours, as far as the gateway has run so long.",
};
