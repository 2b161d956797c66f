// One account: why it is as it is, what comes next, what has happened to it, and what can be done.

import { accountOf, loaded } from "./store.js";
import { next, why } from "./accounts.js";
import { Verbs } from "./fleet.js";
import { html } from "./html.js";
import { href } from "./route.js";
import { Countdown, Empty, Failure, Head, Phase, Time, useRequest } from "./ui.js";

/** The page: `parts[0]` is the account's key. */
export function Page({ parts }) {
  const [key] = parts;
  const row = accountOf(key).value;
  if (!row) {
    if (!loaded.value) return html`<p class="faint" role="status">Reading the accounts</p>`;
    return html`<${Empty} title=${`There is no account ${key}`}><a href=${href("fleet")}>All accounts</a><//>`;
  }
  return html`<section class="account" key=${key}>
    <${Head} title=${key} note=${row.name}><${Verbs} keys=${[key]} /><//>
    <${Now} row=${row} />
    <${Timeline} row=${row} />
  </section>`;
}

function Now({ row }) {
  const coming = next(row);
  return html`<div class="now">
    <${Phase} row=${row} />
    <span class="why">${why(row) || "all is well"}</span>
    <span class="next">${coming.text} ${coming.at ? html`<${Countdown} at=${coming.at} />` : null}</span>
  </div>`;
}

function Timeline({ row }) {
  const { data, error, again } = useRequest("channels.events", { account: row.account });
  if (error) return html`<${Failure} error=${error} onRetry=${again} />`;
  if (!data) return html`<p class="faint" role="status">Reading its history</p>`;
  return html`<ol class="timeline">
    ${data.events.toReversed().map(
      (event, at) => html`<li key=${`${event.at}-${at}`}>
        <${Time} at=${event.at} /> <b>${event.phase}</b> ${event.text ?? event.cause ?? event.exit ?? ""}
      </li>`,
    )}
  </ol>`;
}
