// Shows conversations with agents, and sends what a person writes in one.

import { readerOf, titleOf } from "./conversations.js";
import { html } from "./html.js";
import { useInterval } from "./interval.js";
import { useKeys } from "./keys.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { Meeting, PersonTalk, localAccounts } from "./person.js";
import { Failed, useRequest } from "./request.js";
import { go, href } from "./route.js";
import { VirtualRows } from "./rows.js";
import { client, may } from "./session.js";
import { Ago } from "./times.js";
import { Entry, Text, Transcript, textOf } from "./transcript.js";
import { Button, Dialog, Empty, Failure, Head, Search, toast, useMedia } from "./ui.js";
import { count } from "./words.js";

const SESSIONS = 300;
const ENTRIES = 60;
const AGAIN_MS = 10_000;

/** The page: #/chat for the list of conversations, #/chat/KEY for one, #/chat/person/ACCOUNT/NAME. */
export function Page({ parts, query }) {
  const key = parts.join("/");
  const narrow = useMedia("(max-width: 760px)");
  const text = query.get("q") ?? "";
  const list = useRequest("sessions.list", { limit: SESSIONS, includeDerivedTitles: true, ...(text.trim() ? { search: text.trim() } : {}) });
  const [beginning, setBeginning] = useState(false);
  const [meeting, setMeeting] = useState(false);
  const person = parts[0] === "person" && parts.length === 3 ? { account: parts[1], name: parts[2] } : null;
  const local = localAccounts();
  const known = useRef(new Map()); // over a search in which the open one is not found
  for (const each of list.data?.sessions ?? []) known.current.set(each.key, each);
  useInterval(AGAIN_MS, list.again);
  return html`<section class="fill talk">
    <${Head} title="Chat" note=${list.data ? noteOf(list.data) : ""}>
      ${narrow && key ? html`<a class="button" href=${href("chat", { q: text })}>All conversations</a>` : html`<${Search} text=${text} onText=${(q) => go(href("chat", ...parts, { q }), { replace: true })} label="Search conversations" />`}
      ${may("admin") && local.length > 0 && html`<${Button} onClick=${() => setMeeting(true)}>Talk as a person<//>`}
      ${may("write") && html`<${Button} tone="primary" onClick=${() => setBeginning(true)}>New conversation<//>`}
    <//>
    <${Failed} of=${[list]} />
    <div class="two">
      ${narrow && key ? null : html`<${Sessions} list=${list} chosen=${key} text=${text} narrow=${narrow} />`}
      ${person ? html`<${PersonTalk} key=${key} ...${person} />` : key ? html`<${Talk} key=${key} session=${key} about=${known.current.get(key)} onSaid=${list.again} />` : narrow || !list.data?.sessions.length ? null : html`<${Empty} title="Choose a conversation">Or begin a new one: an agent answers as it would answer in a chat.<//>`}
    </div>
    ${meeting && html`<${Meeting} accounts=${local} onClose=${() => setMeeting(false)} />`}
    ${beginning && html`<${Beginning} onClose=${() => setBeginning(false)} onMade=${list.again} />`}
  </section>`;
}

function noteOf({ totalCount, hasMore }) {
  const order = hasMore ? `, the last ${SESSIONS} are shown: a search finds the others` : totalCount > 1 ? ", the last one first" : "";
  return count(totalCount, "conversation") + order;
}

function Sessions({ list, chosen, text, narrow }) {
  if (!list.data) return list.error ? html`<div></div>` : html`<p class="faint" role="status">Reading the conversations</p>`;
  const { sessions } = list.data;
  if (!sessions.length) {
    return text
      ? html`<${Empty} title="No conversation matches"><a href=${href("chat")}>Show all</a><//>`
      : html`<${Empty} title="Nobody has talked to an agent yet">A conversation begins with the first message that is answered, or here.<//>`;
  }
  const byKey = new Map(sessions.map((each) => [each.key, each]));
  return html`<${VirtualRows}
    items=${[...byKey.keys()]}
    height=${narrow ? 66 : 52}
    label="Conversations"
    selected=${sessions.findIndex((each) => each.key === chosen)}
    onRow=${(key, index, event) => event.target.closest("a") || go(href("chat", key, { q: text }))}
    render=${(key) => html`<${Session} session=${byKey.get(key)} text=${text} />`}
  />`;
}

function Session({ session, text }) {
  const title = session.label || session.derivedTitle || session.key;
  return html`
    <span role="cell" class="what"><a dir="auto" href=${href("chat", session.key, { q: text })} title=${session.key}>${title}</a></span>
    <span role="cell" class="when faint">${session.hasActiveRun ? html`<b class="busy">answering</b>` : html`<${Ago} at=${session.updatedAt} />`}</span>
    <span role="cell" class="where faint">${session.agentId} · ${session.lastAccountId ? `${session.channel}:${session.lastAccountId} ${session.lastTo}` : session.key}</span>
  `;
}

function Beginning({ onClose, onMade }) {
  const agents = useRequest("agents.list");
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState("");
  const begin = async (event) => {
    event.preventDefault();
    setBusy("Beginning");
    const { agent, label } = Object.fromEntries(new FormData(event.currentTarget));
    try {
      const { key } = await client.request("sessions.create", { agentId: agent, ...(label.trim() ? { label: label.trim() } : {}) });
      onMade();
      onClose();
      go(href("chat", key));
    } catch (error) {
      setSaid(error.message);
      setBusy("");
    }
  };
  return html`<${Dialog} title="New conversation" onClose=${onClose}>
    ${agents.error && html`<${Failure} error=${agents.error} onRetry=${agents.again} />`}
    <form onSubmit=${begin}>
      <label class="field"
        >Agent<select name="agent">
          ${agents.data?.agents.map((each) => html`<option key=${each.id} value=${each.id} selected=${each.id === agents.data.defaultId}>${each.name && each.name !== each.id ? `${each.name} (${each.id})` : each.id}${each.phase && each.phase !== "running" ? `, ${each.phase}` : ""}</option>`)}
        </select></label
      >
      <label class="field">Name (optional)<input name="label" maxlength="100" autocomplete="off" /></label>
      ${said && html`<p class="said" role="alert">${said}</p>`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" tone="primary" busy=${busy} disabled=${!agents.data}>Begin<//></footer>
    </form>
  <//>`;
}

/** What an agent writes at the moment, by run; and how runs have ended without an answer. */
function useRuns(session, onEnd, onSession) {
  const [live, setLive] = useState({});
  useEffect(() => {
    const ends = [
      client.need({ runs: [session] }),
      client.on("chat", (event) => {
        if (event.sessionKey !== session) return;
        const { runId, state } = event;
        if (state === "delta") setLive((before) => ({ ...before, [runId]: { text: textOf(event.message) } }));
        else {
          setLive((before) => ({ ...before, [runId]: { text: textOf(event.message), ended: state, error: event.errorMessage } }));
          onEnd(runId);
        }
      }),
      // Which of them have ended meanwhile is not told: the history has those, and what goes on is sent again.
      client.on("client.opened", () => {
        setLive((before) => Object.fromEntries(Object.entries(before).filter(([, each]) => each.ended)));
        onSession();
      }),
    ];
    return () => ends.forEach((end) => end());
  }, [session]);
  const forget = (runs) => setLive((before) => Object.fromEntries(Object.entries(before).filter(([run, each]) => !runs.has(run) || !each.ended || each.error)));
  return [live, forget];
}

function Talk({ session, about, onSaid }) {
  const [number, setNumber] = useState(ENTRIES);
  const history = useRequest("chat.history", { sessionKey: session, limit: number });
  const [kept, setKept] = useState(null); // while more is read, what there was stays
  const [waiting, setWaiting] = useState([]); // what was said here and is not in the history yet
  const [live, forget] = useRuns(session, () => history.again(), () => setWaiting([]));
  const follows = useRef(true);
  useEffect(() => {
    if (!history.data) return;
    setKept(history.data);
    const known = new Set(history.data.messages.map((each) => each.__openclaw?.runId).filter(Boolean));
    forget(known);
    setWaiting((before) => before.filter((each) => !known.has(each.run)));
  }, [history.data]);
  const page = history.data ?? kept;
  const flying = page?.inFlightRun;
  const lines = Object.entries(live).filter(([run]) => run !== flying?.runId || live[run].text);
  const pending = [...(page?.pendingInputs?.items ?? []).map((each) => ({ run: each.runId, text: each.message })), ...waiting];
  const queue = [...new Map(pending.map((each) => [each.run, each])).values()];
  const isOpen = (each) => !live[each.run]?.ended; // a command is answered by the gateway, and is in no history
  const busy = Boolean(flying) || queue.some(isOpen) || lines.some(([, each]) => !each.ended);
  const stop = async () => {
    try {
      const { runIds } = await client.request("chat.abort", { sessionKey: session });
      toast(runIds.length ? "Stopped" : "Nothing was running any more");
    } catch (error) {
      toast(error.message, "bad");
    }
    history.again();
  };
  useKeys(may("write") ? { s: ["stop the answer", () => busy && stop()] } : {});
  const said = (run, text) => {
    follows.current = true;
    if (run) setWaiting((before) => [...before, { run, text }]);
    history.again();
    onSaid();
  };
  return html`<div class="conversation">
    ${about && html`<h2>${titleOf(about)}</h2>`}
    <p class="note mono" title="the key of this conversation">${session}</p>
    ${history.error && html`<${Failure} error=${history.error} onRetry=${history.again} />`}
    <${Transcript} follows=${follows}>
      ${page?.hasMore && html`<p class="more"><${Button} onClick=${() => (follows.current = false, setNumber(number + 200))}>Show what was said before<//></p>`}
      ${page && !page.messages.length && !queue.length && !lines.length && html`<${Empty} title="Nothing has been said here yet" />`}
      ${!page && !history.error && html`<p class="faint" role="status">Reading what was said</p>`}
      <ol>
        ${page?.messages.map((entry) => html`<${Entry} key=${entry.__openclaw.id} entry=${entry} />`)}
        ${queue.map((each) => html`<li key=${each.run} class="entry user"><p class="by">You ${isOpen(each) && html`<span class="faint">the agent has it not yet, or is answering</span>`}</p><${Text} text=${each.text} /></li>`)}
        ${flying && !live[flying.runId]?.text && html`<li class="entry assistant"><p class="by">Agent <span class="busy">is answering</span></p>${flying.text && html`<${Text} text=${flying.text} />`}</li>`}
        ${lines.map(([run, each]) => html`<li key=${run} class="entry assistant"><p class="by">Agent <span class=${each.error ? "bad" : "busy"}>${ENDS[each.ended] ?? "is answering"}</span></p>${each.text && html`<${Text} text=${each.text} />`}${each.error && html`<p class="bad">${each.error}</p>`}</li>`)}
      </ol>
    <//>
    <${Composer} session=${session} reader=${readerOf(about)} busy=${busy} onSaid=${said} onStop=${stop} />
  </div>`;
}

const ENDS = { final: "", aborted: "was stopped", error: "could not answer" };

const drafts = new Map(); // by conversation: what was typed and not sent, over a change of the page

/** Put a text into the field of a conversation, which may be on no page any more. */
function write(session, field, text) {
  drafts.set(session, text);
  if (field) field.value = text;
}

function Composer({ session, reader, busy, onSaid, onStop }) {
  const field = useRef(null);
  const [sending, setSending] = useState(false);
  useKeys({ i: ["write", () => field.current?.focus()] });
  useEffect(() => {
    if (field.current) field.current.value = drafts.get(session) ?? "";
  }, [session]);
  if (!may("write")) return html`<p class="faint">This browser may read, but not write: it lacks operator.write.</p>`;
  const send = async (event) => {
    event?.preventDefault();
    const text = field.current.value.trim();
    if (!text || sending) return;
    setSending(true);
    const run = crypto.randomUUID();
    write(session, field.current, ""); // what is typed meanwhile is the next message
    try {
      const answer = await client.request("chat.send", { sessionKey: session, message: text, idempotencyKey: run });
      if (!answer.runId) toast(answer.runIds?.length ? "Stopped" : "Nothing was running"); // a word such as /stop
      onSaid(answer.runId, text);
    } catch (error) {
      write(session, field.current, [text, drafts.get(session)].filter(Boolean).join("\n"));
      toast(error.maybeExecuted ? `${error.message}. Look at the conversation before you send it again.` : error.message, "bad");
    }
    setSending(false);
    field.current?.focus();
  };
  const onKey = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return html`<p class="note" id="reader">${reader}</p>
  <form class="composer" onSubmit=${send}>
    <textarea ref=${field} rows="2" aria-label="Message" aria-describedby="reader" placeholder="Message to the agent, or /help for commands" onKeyDown=${onKey} onInput=${(event) => drafts.set(session, event.currentTarget.value)} maxlength="60000"></textarea>
    <div>
      ${busy && html`<${Button} tone="danger" onClick=${onStop}>Stop<//>`}
      <button type="submit" class="button primary" disabled=${sending}>${sending ? "Sending" : "Send"}</button>
    </div>
  </form>`;
}
