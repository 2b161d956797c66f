// Shows who may talk to the accounts: lists that let nobody in, strangers who wait, and every account's lists.

import { whoClass, wordsOf } from "./accounts.js";
import { lookAgain } from "./attention.js";
import { Help } from "./help.js";
import { html } from "./html.js";
import { useInterval } from "./interval.js";
import { useMemo, useState } from "./libraries/hooks.js";
import { Lists } from "./lists.js";
import { WithPaths } from "./paths.js";
import { Failed, useConfigChanges, useRequest } from "./request.js";
import { go, href } from "./route.js";
import { VirtualRows } from "./rows.js";
import { client, may } from "./session.js";
import { tall } from "./store.js";
import { Ago } from "./times.js";
import { Button, Chip, Countdown, Empty, Failure, Head, Search, Unread, ask, toast, useMedia } from "./ui.js";
import { Why } from "./why.js";
import { accountsOf, saidBy } from "./writers.js";
import { capital, count } from "./words.js";

const AGAIN_MS = 15_000; // strangers come without an event
const DOORS_SHOWN = 5;
const REQUESTS_SHOWN = 12;

/** The page: #/people, #/people/ACCOUNT for the lists of one account. */
export function Page({ parts, query }) {
  const access = useRequest("channels.access");
  const pairing = useRequest("channels.pairing.list", may("pairing") ? {} : null);
  const [asking, setAsking] = useState(false);
  const decided = () => {
    pairing.again();
    lookAgain();
  };
  const saved = () => {
    access.again();
    lookAgain();
  };
  useInterval(AGAIN_MS, () => {
    access.again();
    pairing.again();
  });
  useConfigChanges(access.again);
  const text = query.get("q") ?? "";
  const set = (changes) => go(href("people", { q: text, only: query.get("only") ?? "", ...changes }), { replace: true });
  if (!access.data) return html`<${Unread} title="People" what="who may talk to whom" error=${access.error} onRetry=${access.again} />`;
  const { accounts } = access.data;
  const chosen = parts[0] && accounts.find((each) => each.account === parts[0]);
  return html`<section class="people">
    <${Head} title="People" note=${summary(accounts, pairing.data)}>
      ${accounts.length > 0 && html`<${Button} onClick=${() => setAsking(true)}>Why was there no answer?<//>`}
    <//>
    <${Failed} of=${[access, pairing]} />
    ${parts[0] && !chosen && html`<${Failure} error=${new Error(`There is no account ${parts[0]}.`)} />`}
    <${Closed} accounts=${accounts} />
    <${Waiting} pairing=${pairing} onDone=${decided} />
    <${Decided} people=${pairing.data?.people ?? []} onDone=${decided} />
    <${Accounts} accounts=${accounts} text=${text} only=${query.get("only") ?? ""} onSet=${set} />
    ${chosen && html`<${Lists} key=${chosen.account} entry=${chosen} onClose=${() => go(href("people", { q: text }))} onSaved=${saved} />`}
    ${asking && html`<${Why} accounts=${accounts.map((each) => each.account)} onClose=${() => setAsking(false)} />`}
  </section>`;
}

function summary(accounts, pairing) {
  if (!accounts.length) return "";
  const closed = accounts.filter(isClosed).length;
  const waiting = pairing?.requests.length ?? 0;
  const parts = [closed && `${count(closed, "account")} with a list that lets nobody in`, waiting && `${count(waiting, "person", "people")} waiting`];
  return parts.filter(Boolean).join(", ") || "Nobody waits, and every list lets somebody in.";
}

/** Return whether an account that an agent answers for has a list that lets nobody in. */
function isClosed(entry) {
  return Boolean(entry.agent) && entry.closed.length > 0;
}

const GROUPS = new Set(["group-not-listed", "group-off", "sender-not-listed"]);
const DIRECT = new Set(["dm-not-listed"]);

/** Return how many messages of the last 24 hours a closed door has kept out. */
function keptOut(entry, sentence) {
  const reasons = sentence.startsWith("no direct") ? DIRECT : GROUPS;
  return entry.dropped.filter((each) => reasons.has(each.reason)).reduce((sum, each) => sum + each.count, 0);
}

/** The trap in plain sight: a list that is empty answers nobody, and nothing else says so. */
function Closed({ accounts }) {
  const [all, setAll] = useState(false);
  const doors = useMemo(
    () =>
      accounts
        .filter(isClosed)
        .map((entry) => {
          const sentences = entry.closed.map((text) => ({ text, number: keptOut(entry, text) }));
          return { entry, sentences, number: sentences.reduce((sum, each) => sum + each.number, 0) };
        })
        .sort((a, b) => b.number - a.number || a.entry.account.localeCompare(b.entry.account)),
    [accounts],
  );
  if (!doors.length) return null;
  const shown = all ? doors : doors.slice(0, DOORS_SHOWN);
  return html`<section class="doors" aria-labelledby="closed">
    <h2 id="closed">Nobody gets in here</h2>
    <ul>
      ${shown.map(
        ({ entry, sentences, number }) => html`<li key=${entry.account}>
          <div>
            <p><b>${entry.account}</b>${number ? "" : html` <span class="faint">(no message was left unanswered by it in the last 24 hours)</span>`}</p>
            ${sentences.map(({ text, number: kept }) => html`<p key=${text}><${WithPaths} text=${capital(text)} />${kept ? html`: <b class="bad">${count(kept, "message")} not answered in the last 24 hours</b>` : ""}.</p>`)}
          </div>
          <a class="button" href=${href("people", entry.account)}>Open its lists</a>
        </li>`,
      )}
    </ul>
    ${doors.length > DOORS_SHOWN && html`<${Button} class="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${doors.length}`}<//>`}
  </section>`;
}

function Waiting({ pairing, onDone }) {
  if (!may("pairing")) return html`<p class="faint">This browser may not see who waits: it lacks operator.pairing.</p>`;
  if (!pairing.data) return pairing.error ? null : html`<p class="faint" role="status">Reading who waits</p>`;
  return html`<${Requests} requests=${pairing.data.requests} onDone=${onDone} />`;
}

function Requests({ requests, onDone }) {
  const [all, setAll] = useState(false);
  const shown = all ? requests : requests.slice(0, REQUESTS_SHOWN);
  const keys = accountsOf(shown);
  const recent = useRequest("messages.recent", keys.length ? { accounts: keys, limit: 200 } : null);
  return html`<section aria-labelledby="waiting">
    <h2 id="waiting">Waiting to be let in</h2>
    ${requests.length === 0
      ? html`<p class="faint">Nobody. A stranger who writes to an account that pairs gets a code, and stands here for an hour.</p>`
      : html`<p class="faint">Dismiss: the request goes away, and the person may ask again. Block: that account never answers the person again, in groups too.</p><ul class="cards">${shown.map((each) => html`<li key=${each.requestId}><${Request} request=${each} said=${saidBy(recent.data?.messages ?? [], each)} onDone=${onDone} /></li>`)}</ul>`}
    ${requests.length > REQUESTS_SHOWN && html`<${Button} class="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${requests.length}`}<//>`}
  </section>`;
}

function Request({ request, said, onDone }) {
  const [busy, setBusy] = useState("");
  const { channel, accountId, senderId, requestId, verified } = request;
  const name = request.metadata?.name;
  const who = named(name, senderId);
  const perform = async (doing, method, params, said) => {
    setBusy(doing);
    try {
      await client.request(method, { channel, accountId, ...params });
      toast(said);
      onDone();
    } catch (error) {
      toast(error.message, "bad");
    }
    setBusy("");
  };
  const approve = async (notify) => {
    const text = verified
      ? `${channel} vouches for this id. From now on ${channel}:${accountId} answers this person in direct chats.`
      : `${channel} does not vouch for this name: whoever uses it is let in, too.`;
    const answer = await ask({ title: `Let ${who} in?`, text, action: "Approve", danger: !verified });
    if (answer) await perform("Approving", "channels.pairing.approve", { requestId, notify, ...(verified ? {} : { unverified: true }) }, `${who} is answered from now on`);
  };
  const block = async () => {
    const text = `${channel}:${accountId} never answers this person again, in groups too. It can be undone below.`;
    if (await ask({ title: `Block ${who}?`, text, action: "Block", danger: true })) {
      await perform("Blocking", "channels.pairing.block", { senderId }, `${who} is blocked`);
    }
  };
  return html`
    <p><b><${Named} name=${name} id=${senderId} /></b> at <a href=${href("account", `${channel}:${accountId}`)}>${channel}:${accountId}</a>${verified ? "" : html` <span class="warn">not vouched for</span>`}</p>
    <p class="faint">Wrote first <${Ago} at=${Date.parse(request.createdAt)} />, last <${Ago} at=${Date.parse(request.lastSeenAt)} />. The code expires <${Countdown} at=${Date.parse(request.expiresAt)} />.</p>
    ${said && html`<blockquote class="said-text" tabindex="0">${said}</blockquote>`}
    <p class="decide">
      <${Button} tone="primary" busy=${busy} onClick=${() => approve(false)}>Approve<//>
      <${Button} disabled=${Boolean(busy)} onClick=${() => approve(true)}>Approve and tell them<//>
      <${Button} disabled=${Boolean(busy)} onClick=${() => perform("Dismissing", "channels.pairing.dismiss", { requestId }, `${who} may ask again`)}>Dismiss<//>
      <${Button} tone="danger" disabled=${Boolean(busy)} onClick=${block}>Block<//>
    </p>
  `;
}

function named(name, id) {
  return name && name !== id ? `${name} (${id})` : id;
}

/** The same drawn: what is written from right to left does not reorder what stands beside it. */
function Named({ name, id }) {
  return name && name !== id ? html`<bdi>${name}</bdi> (${id})` : html`<bdi>${id}</bdi>`;
}

function Decided({ people, onDone }) {
  if (!people.length) return null;
  const sorted = [...people].sort((a, b) => a.state.localeCompare(b.state) || a.senderId.localeCompare(b.senderId));
  const undo = async (person) => {
    const { account, senderId, state } = person;
    const text = state === "blocked" ? "The person may write and ask again." : "The person is answered no more, and gets a code at the next message.";
    if (!(await ask({ title: `Forget that ${senderId} was ${state === "allowed" ? "approved" : state}?`, text, action: "Forget" }))) return;
    const at = account.indexOf(":");
    try {
      await client.request("channels.pairing.unblock", { channel: account.slice(0, at), accountId: account.slice(at + 1), senderId });
      toast(`Nothing is decided about ${senderId} any more`);
      onDone();
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  return html`<details class="decided">
    <summary>${count(people.length, "person was", "people were")} approved or blocked</summary>
    <ul class="lines">
      ${sorted.map(
        (person) => html`<li key=${person.account + person.senderId}>
          <span class=${person.state === "blocked" ? "bad" : "ok"}>${person.state === "allowed" ? "approved" : person.state}</span>
          <span><${Named} name=${person.name} id=${person.senderId} /> at ${person.account}</span>
          <${Button} class="quiet" onClick=${() => undo(person)}>Forget<//>
        </li>`,
      )}
    </ul>
  </details>`;
}

function Accounts({ accounts, text, only, onSet }) {
  const narrow = useMedia("(max-width: 760px)");
  const byKey = useMemo(() => new Map(accounts.map((each) => [each.account, each])), [accounts]);
  const items = useMemo(() => {
    const words = wordsOf(text);
    return accounts
      .filter((each) => (only !== "closed" || isClosed(each)) && words.every((word) => `${each.account} ${each.dmPolicy} ${each.groupPolicy} ${(each.allowFrom ?? []).join(" ")} ${Object.keys(each.groups).join(" ")}`.toLowerCase().includes(word)))
      .sort((a, b) => Number(isClosed(b)) - Number(isClosed(a)) || droppedOf(b) - droppedOf(a) || a.account.localeCompare(b.account))
      .map((each) => each.account);
  }, [accounts, text, only]);
  const closed = accounts.filter(isClosed).length;
  return html`<section class="fill access" aria-labelledby="lists">
    <div class="head">
      <h2 id="lists">Lists of every account</h2>
      <span class="faint">not answered <${Help} word="not answered" /></span>
      <div class="actions">
        <${Chip} on=${only === "closed"} tone=${closed ? "bad" : ""} count=${closed} onClick=${() => onSet({ only: only === "closed" ? "" : "closed" })}>let nobody in<//>
        <${Search} text=${text} onText=${(q) => onSet({ q })} label="Search the lists" />
      </div>
    </div>
    ${items.length === 0
      ? html`<${Empty} title=${accounts.length ? "No account matches" : "There are no accounts yet"}>
          ${accounts.length ? html`<${Button} onClick=${() => onSet({ q: "", only: "" })}>Show all<//>` : may("admin") && html`<a href=${href("add")}>Add one</a>; its lists appear here.`}
        <//>`
      : html`<${VirtualRows}
          items=${items}
          height=${narrow ? tall(88) : 34}
          label="Lists of every account"
          head=${html`<div class="row columns" role="row">${["Account", "Direct chats", "Groups", "Not answered, 24 h"].map((name) => html`<span role="columnheader" key=${name}>${name}</span>`)}</div>`}
          onRow=${(key, index, event) => event.target.closest("a") || go(href("people", key, { q: text }))}
          render=${(key) => html`<${Account} entry=${byKey.get(key)} narrow=${narrow} />`}
        />`}
  </section>`;
}

function droppedOf(entry) {
  return entry.dropped.reduce((sum, each) => sum + each.count, 0);
}

function Account({ entry, narrow }) {
  const number = droppedOf(entry);
  const reasons = entry.dropped.map((each) => `${each.count}: ${each.text}`).join(" · ");
  const groups = Object.keys(entry.groups).length;
  return html`
    <span role="cell" class=${whoClass(entry.account)}><a href=${href("people", entry.account)}>${entry.account}</a></span>
    <span role="cell" class=${entry.closed.some((each) => each.startsWith("no direct")) ? "bad" : ""}>${narrow ? "direct: " : ""}${entry.dmPolicy}${entry.allowFrom ? `, ${entry.allowFrom.length} listed` : ""}</span>
    <span role="cell" class=${entry.closed.some((each) => each.startsWith("no message in a group")) ? "bad" : ""}>${narrow ? "groups: " : ""}${entry.groupPolicy}${entry.groupPolicy === "disabled" ? "" : `, ${groups} listed`}</span>
    <span role="cell" title=${reasons}>${number ? `${number}${narrow ? " not answered in 24 h" : ""}: ${entry.dropped[0].text}` : html`<span class="faint">${narrow ? "" : "none"}</span>`}</span>
  `;
}
