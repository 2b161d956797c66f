// Shows the messages of all accounts as they come and go, one message's way, and those that were given up.

import { whoClass, wordsOf } from "./accounts.js";
import { html } from "./html.js";
import { useKeys } from "./keys.js";
import { GivenUp } from "./letters.js";
import { useEffect, useMemo, useRef, useState } from "./libraries/hooks.js";
import { Failed, useRequest } from "./request.js";
import { go, href } from "./route.js";
import { VirtualRows, useMark, useReading } from "./rows.js";
import { client } from "./session.js";
import { accountOf, tall } from "./store.js";
import { canBeRead, isOpen, nameOf, saidOf } from "./outcomes.js";
import { BATCH_MS, useNewest } from "./newest.js";
import { isMeant } from "./stream.js";
import { Time } from "./times.js";
import { Button, Chip, Empty, Head, Search, useMedia } from "./ui.js";
import { Way } from "./way.js";
import { count } from "./words.js";

const AGAIN_MS = 1000; // what has become of the messages in sight is asked for no more often
const ASKED = 100; // of them at once
const KNOWN = 3000; // answers that are kept
const WIDE_ROW = 32;
const NARROW_ROW = 66;

/** The page: #/messages, #/messages/ACCOUNT/CURSOR for one message, ?view=given-up. */
export function Page({ parts, query }) {
  const view = query.get("view") ?? "";
  const letters = useRequest("deadletters.list", { limit: 1 });
  const number = letters.data?.count;
  const set = (changes) => go(href("messages", { q: query.get("q") ?? "", direction: query.get("direction") ?? "", view, ...changes }), { replace: true });
  return html`<section class=${view === "given-up" ? "fill letters" : "fill messages"}>
    <${Head} title="Messages">
      ${view === "given-up" ? null : html`<${Search} text=${query.get("q") ?? ""} onText=${(q) => set({ q })} label="Search messages" />`}
    <//>
    <div class="chips" role="group" aria-label="Which messages">
      <${Chip} on=${view !== "given-up"} onClick=${() => set({ view: "" })}>As they come<//>
      <${Chip} on=${view === "given-up"} tone=${number ? "bad" : ""} count=${number} onClick=${() => set({ view: "given-up" })}>Given up<//>
    </div>
    ${view === "given-up"
      ? html`<${GivenUp} onChange=${letters.again} />`
      : html`<${Live} query=${query} onSet=${set} open=${parts.length === 2 ? parts : null} />`}
  </section>`;
}

/** What has become of messages, by key of their rows: of those that `see` has named as in sight. */
function useOutcomes() {
  const [known, setKnown] = useState(new Map());
  const now = useRef({ rows: [], before: [], since: 0 });
  Object.assign(now.current, { known });
  useEffect(() => {
    const state = now.current;
    let timer = 0;
    let shown = true;
    const ask = async () => {
      const time = Date.now();
      const open = document.hidden || !canBeRead(state, time) ? [] : state.rows.filter((row) => isOpen(row, state.known.get(row.key), time));
      const wanted = open.slice(0, ASKED);
      if (wanted.length) {
        try {
          const { outcomes } = await client.request("messages.outcomes", { messages: wanted.map(nameOf) });
          if (shown) setKnown((before) => new Map([...before, ...wanted.map((row, at) => [row.key, outcomes[at]])].slice(-KNOWN)));
        } catch {
          // Asked again: until then the column says less.
        }
      }
      if (shown) timer = setTimeout(ask, AGAIN_MS);
    };
    state.see = (rows) => {
      if (!state.rows.length) {
        clearTimeout(timer);
        timer = setTimeout(ask, 0);
      }
      Object.assign(state, { rows, before: state.rows, since: Date.now() });
    };
    return () => {
      shown = false;
      clearTimeout(timer);
    };
  }, []);
  return { known, see: (rows) => now.current.see?.(rows) };
}

function Live({ query, onSet, open }) {
  const text = query.get("q") ?? "";
  const { stream, version, recent, batched } = useNewest(wordsOf(text).filter((word) => accountOf(word).peek()));
  const outcomes = useOutcomes();
  const reading = useReading(() => stream);
  const narrow = useMedia("(max-width: 760px)");
  const direction = query.get("direction") ?? "";
  const shown = useMemo(() => {
    const words = wordsOf(text);
    return reading.rows.filter((row) => isMeant(row, words, direction)).reverse();
  }, [version, reading.rows, text, direction]);
  const byKey = useMemo(() => new Map(shown.map((row) => [row.key, row])), [shown]);
  const items = useMemo(() => shown.map((row) => row.key), [shown]);
  const show = (row) => row && row.direction !== "gap" && go(href("messages", row.account, row.cursor, { q: text, direction }));
  const { at, move, mark } = useMark(items);
  useKeys({
    j: ["the next message", () => move(1)],
    k: ["the message before", () => move(-1)],
    Enter: ["show what became of the message", () => show(byKey.get(items[at]))],
    p: ["pause, or go on", reading.pause],
  });
  return html`
    <${Failed} of=${[recent]} />
    <div class="chips" role="group" aria-label="Show only">
      ${["", "in", "out"].map(
        (each) => html`<${Chip} key=${each} on=${each === direction} onClick=${() => onSet({ direction: each })}>${DIRECTIONS[each]}<//>`,
      )}
      <span class="gap"></span>
      <${Button} onClick=${reading.pause} aria-pressed=${reading.paused ? "true" : "false"}>${reading.paused ? `Go on (${count(reading.behind, "new message")})` : "Pause"}<//>
      ${reading.paused
        ? html`<span key="paused" class="faint" role="status">Paused: nothing is lost, it goes on from here.</span>`
        : html`<span class="faint">${numberOf(items, { loaded: Boolean(recent.data), older: recent.data?.more || stream.added > stream.rows.length, narrow, batched })}</span>`}
    </div>
    ${items.length === 0
      ? !recent.error && html`<${Nothing} loaded=${Boolean(recent.data)} any=${stream.rows.length > 0} onClear=${() => onSet({ q: "", direction: "" })} />`
      : html`<${VirtualRows}
          items=${items}
          height=${narrow ? tall(NARROW_ROW) : WIDE_ROW}
          selected=${at}
          label="Messages"
          reading=${reading}
          onSeen=${(seen) => outcomes.see(seen.map((key) => byKey.get(key)).filter(Boolean))}
          head=${html`<${Columns} />`}
          onRow=${(key, _, event) => {
            mark(key);
            if (!event.target.closest("a")) show(byKey.get(key));
          }}
          render=${(key) => html`<${Row} row=${byKey.get(key)} found=${outcomes.known.get(key)} />`}
        />`}
    ${open &&
    html`<${Way}
      account=${open[0]}
      cursor=${open[1]}
      event=${stream.rows.find((row) => row.account === open[0] && row.cursor === open[1])?.event}
      onClose=${() => go(href("messages", { q: text, direction }))}
    />`}
  `;
}

/** Return how many messages are listed and how: nothing while the first are read. */
function numberOf(items, { loaded, older, narrow, batched }) {
  if (!loaded && !items.length) return "";
  const order = narrow || items.length < 2 ? "" : older ? ", the newest first; there are older ones" : ", the newest first";
  return `${count(items.length, "message")}${order}${batched ? `, read every ${BATCH_MS / 1000} s` : ""}`;
}

const DIRECTIONS = { "": "in and out", in: "in", out: "out" };

function Columns() {
  return html`<div class="row columns" role="row">
    ${["Time", "Account", "", "Chat", "Text", "Outcome"].map((name) => html`<span role="columnheader" key=${name}>${name || html`<span class="unseen">Direction</span>`}</span>`)}
  </div>`;
}

function Row({ row, found }) {
  const { at, account, direction, chat, sender, text } = row;
  const became = saidOf(direction, found);
  const who = sender && sender !== chat ? `${chat} · ${sender}` : chat;
  return html`
    <span role="cell" class="when"><${Time} at=${at} /></span>
    <span role="cell" class=${whoClass(account)}>${account && html`<a href=${href("account", account)}>${account}</a>`}</span>
    <span role="cell" class="way-mark" title=${MARKS[direction][1]}>${MARKS[direction][0]}</span>
    <span role="cell" class="chat" title=${who}>${who}</span>
    <span role="cell" class=${direction === "gap" ? "text warn" : "text"}>${text}</span>
    <span role="cell" class=${`outcome ${became.tone}`} title=${became.text}>${became.text}</span>
  `;
}

const MARKS = { in: ["→ in", "came in"], out: ["← out", "was sent"], gap: ["gap", "something is missing"] };

function Nothing({ loaded, any, onClear }) {
  if (!loaded) return html`<p class="faint" role="status">Reading the newest messages</p>`;
  if (any) {
    return html`<${Empty} title="None of the newest messages matches">
      The whole key of an account, such as irc:libera, brings more of that one. <${Button} onClick=${onClear}>Show all<//>
    <//>`;
  }
  return html`<${Empty} title="No message has come or gone yet">
    The next one appears here by itself. The gateway has none in memory since its start.
  <//>`;
}
