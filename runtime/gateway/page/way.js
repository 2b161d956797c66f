// Shows one message's whole way: it arrived, was decided about, asked an agent, and was answered.

import { html } from "./html.js";
import { useRequest } from "./request.js";
import { href } from "./route.js";
import { Time } from "./times.js";
import { Dialog, Failure } from "./ui.js";
import { capital, span } from "./words.js";

/** The way of a message, as a dialog. `event` is what the page itself has seen of it, if it has. */
export function Way({ account, cursor, event, onClose }) {
  const at = account.indexOf(":");
  const run = event?.direction === "out" && event.message.key?.startsWith("run:") ? event.message.key.slice(4) : null;
  const params = run ? { runId: run } : { channel: account.slice(0, at), accountId: account.slice(at + 1), cursor };
  const { data, error, again } = useRequest("messages.trace", params);
  return html`<${Dialog} title=${event?.direction === "out" ? "What was sent, and why" : "What became of this message"} wide onClose=${onClose}>
    <p class="faint"><a href=${href("account", account)}>${account}</a> · event ${cursor}</p>
    ${event && event.direction === "out" && html`<${Sent} message=${event.message} />`}
    ${data && html`<ol class="way"><${Arrived} data=${data} /><${Decided} data=${data} /><${Asked} run=${data.run} /><${AskedIn} data=${data} /><${Delivered} row=${data.outbox} run=${data.run} /></ol>`}
    ${!data && event && event.direction === "in" && html`<ol class="way"><${Arrived} data=${{ message: { ...event.message, receivedAt: event.message.ts } }} /></ol>`}
    ${!data && !error && html`<p class="faint" role="status">Looking the message up in the journal</p>`}
    ${error && (isUnknown(error) ? html`<p class="faint">${error.message}. More than what stands above is not kept: an account has its way stored with <code>journal: "on"</code>.</p>` : html`<${Failure} error=${error} onRetry=${again} />`)}
  <//>`;
}

function isUnknown(error) {
  return error.code === "INVALID_REQUEST" || /journal/.test(error.message);
}

/** A step of the way. `tone` as of phases: `ok`, `warn`, `bad`, `idle`, `busy`. */
function Step({ title, at, tone = "ok", children }) {
  return html`<li class=${`step ${tone}`}>
    <h3><span class=${`phase ${tone}`}>${title}</span>${at ? html` <span class="faint"><${Time} at=${at} /></span>` : null}</h3>
    ${children}
  </li>`;
}

function Said({ text }) {
  return text ? html`<blockquote class="said-text" tabindex="0">${text}</blockquote>` : null;
}

function Sent({ message }) {
  return html`<ol class="way"><${Step} title="Sent" at=${message.ts}>
    <p>To ${message.to}${message.replyTo ? `, as a reply to ${message.replyTo}` : ""}. The platform calls it ${message.id}.</p>
    <${Said} text=${message.text} />
  <//></ol>`;
}

function Arrived({ data: { message } }) {
  if (!message) return null;
  const late = message.receivedAt && message.ts ? message.receivedAt - message.ts : 0;
  const sender = message.sender ?? {};
  return html`<${Step} title="Arrived" at=${message.receivedAt}>
    <p>
      From <bdi>${sender.name || sender.id || "an unknown sender"}</bdi>${sender.name && sender.id && sender.name !== sender.id ? ` (${sender.id})` : ""}${sender.verified ? "" : ", for whom the platform does not vouch"},
      in ${message.chat?.kind === "direct" ? "a direct chat" : `the ${message.chat?.kind ?? "chat"} ${message.chat?.name ?? message.chat?.id ?? ""}`}.
      ${late > 2000 ? ` It was written ${span(late)} before.` : ""}
    </p>
    ${message.text ? html`<${Said} text=${message.text} />` : html`<p class="faint">Its text is not kept, or it has none.</p>`}
  <//>`;
}

function Decided({ data: { admission } }) {
  if (!admission) return null;
  if (admission.outcome === "run") return html`<${Step} title="Admitted"><p>An agent is asked.</p><//>`;
  if (admission.outcome === "drop") {
    return html`<${Step} title="Not answered" tone="warn">
      <p>${capital(admission.text ?? admission.reason)}. <a href=${href("people")}>Who may talk to the account</a></p>
    <//>`;
  }
  return html`<${Step} title="No run" tone="idle"><p>${capital(admission.text)}.</p><//>`;
}

const RUNS = {
  queued: ["Waits for its turn", "busy"],
  running: ["The agent is answering", "busy"],
  final: ["Answered by the agent", "ok"],
  aborted: ["Ended by a person", "idle"],
  error: ["The agent failed", "bad"],
  timeout: ["The agent took too long", "bad"],
  expired: ["Waited too long", "warn"],
  merged: ["Asked together with others", "ok"],
};

function Asked({ run }) {
  if (!run) return null;
  const [title, tone] = RUNS[run.state] ?? [run.state, "idle"];
  const took = run.endedAt && run.startedAt ? ` It took ${run.endedAt - run.startedAt < 1000 ? "less than a second" : span(run.endedAt - run.startedAt)}.` : "";
  const waited = run.startedAt && run.startedAt - run.acceptedAt > 1000 ? ` It had waited for ${span(run.startedAt - run.acceptedAt)}.` : "";
  return html`<${Step} title=${title} at=${run.endedAt ?? run.startedAt ?? run.acceptedAt} tone=${tone}>
    <p>
      Agent ${run.agentId}, in the conversation <a href=${href("chat", run.sessionKey)}>${run.sessionKey}</a>.${waited}${took}
      ${run.deaths ? ` The agent died ${run.deaths} times meanwhile.` : ""}
    </p>
    ${run.error && html`<p class="bad">${run.error}</p>`}
    ${run.told && html`<p>The person was told:</p>`}
    <${Said} text=${run.told ?? run.answer} />
  <//>`;
}

function AskedIn({ data }) {
  if (!data.askedIn) return null;
  return html`<${Asked} run=${data.askedIn} />`;
}

const ROWS = {
  queued: ["Waits to be sent", "busy"],
  attempting: ["Is being sent", "busy"],
  sent: ["Sent", "ok"],
  failed: ["Not sent", "bad"],
  unknown: ["Perhaps sent", "warn"],
  expired: ["Not sent: it waited too long", "bad"],
};

function Delivered({ row, run }) {
  if (!row) {
    const open = run && !["final", "merged"].includes(run.state);
    return run && !open ? html`<${Step} title="Nothing to send" tone="idle"><p>The answer is silence, or went to a client.</p><//>` : null;
  }
  const [title, tone] = ROWS[row.state] ?? [row.state, "idle"];
  const parts = row.sent ?? [];
  return html`<${Step} title=${title} at=${parts.at(-1)?.ts ?? row.at} tone=${tone}>
    <p>
      By ${row.account} to ${row.chat}${row.attempts > 1 ? `, at the ${ordinal(row.attempts)} attempt` : ""}${parts.length > 1 ? `, in ${parts.length} parts` : ""}.
      ${row.letter ? html` <a href=${href("messages", { view: "given-up" })}>It waits for your decision.</a>` : null}
    </p>
    ${row.error && html`<p class="bad">${row.error}</p>`}
  <//>`;
}

function ordinal(number) {
  const last = number % 100 > 10 && number % 100 < 14 ? 0 : number % 10;
  return `${number}${{ 1: "st", 2: "nd", 3: "rd" }[last] ?? "th"}`;
}
