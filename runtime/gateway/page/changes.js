// Lists what operators have changed: when, what, who and from where.

import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { useRequest } from "./request.js";
import { Time, Times } from "./times.js";
import { Button, Empty, Failure } from "./ui.js";

const SHOWN = 8; // at once

/** The history of changes, the newest first. */
export function Changes() {
  const { data, error, again } = useRequest("changes.list");
  const [all, setAll] = useState(false);
  const found = (data?.changes ?? []).toReversed();
  const shown = all ? found : found.slice(0, SHOWN);
  return html`<section class="panel" aria-labelledby="changes">
    <div class="head"><h2 id="changes">Who has changed what</h2><div class="actions"><${Button} class="quiet" onClick=${again}>Read again<//></div></div>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${data && found.length === 0 && html`<${Empty} title="Nothing yet" />`}
    ${found.length > 0 &&
    html`<ul class="lines">
      ${shown.map(
        (each, at) => html`<li key=${`${each.at}-${found.length - at}`}><span class="faint"><${Time} at=${each.at} /></span><span>${each.text} <span class="faint">${each.by ? `by ${each.by}` : "in the file"}</span><${Times} of=${each} /></span></li>`,
      )}
    </ul>`}
    ${found.length > SHOWN && html`<div><${Button} class="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${found.length}`}<//></div>`}
  </section>`;
}
