// Draws what is different between two texts.

import { hunksOf, inPieces, isLong, spread } from "./diff.js";
import { html } from "./html.js";

/** Two texts as one, with what was taken out and put in marked; what is the same is left out. */
export function Diff({ before, after }) {
  const long = isLong(before, after);
  const hunks = long ? hunksOf(spread(before), spread(after)) : hunksOf(before, after);
  if (!hunks.length) return html`<p class="faint">Nothing is different.</p>`;
  return html`${long && html`<p class="faint">Its lines are long: here each field is compared on a line of its own.</p>`}<div class="diff mono" tabindex="0" role="region" aria-label="Difference">
    ${hunks.map(
      (lines, at) => html`<div key=${at} class="hunk">
        ${inPieces(lines).map(
          ([mark, pieces, number], index) => html`<div key=${index} class=${MARKS[mark][0]}><span class="place">${number}</span><span class="mark"><span aria-hidden="true">${mark}</span><span class="unseen">${MARKS[mark][1]}</span></span><span class="line">${pieces.map(([text, changed], piece) => (changed ? html`<b key=${piece}>${text}</b>` : text))}</span></div>`,
        )}
      </div>`,
    )}
  </div>`;
}

const MARKS = { "+": ["put-in", "put in:"], "-": ["taken-out", "taken out:"], " ": ["same", ""] };
