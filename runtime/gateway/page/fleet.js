// Lists all accounts, the worst first, with why and what comes next; and acts on many at once.

import { PHASES, STARTING, folded, isUnwell, matches, named, next, pastOf, phaseOf, tally, upSince, whoClass, why, whyInFull, wordsOf, worstFirst } from "./accounts.js";
import { attention } from "./attention.js";
import { now } from "./clock.js";
import { beat, figuresOf, flowOf, restartsOf, useFigures } from "./figures.js";
import { html } from "./html.js";
import { useKeys } from "./keys.js";
import { useMemo, useState } from "./libraries/hooks.js";
import { go, href } from "./route.js";
import { VirtualRows, useMark } from "./rows.js";
import { may } from "./session.js";
import { accountOf, allRows, failure, loaded, ranked, reload, tall } from "./store.js";
import { Button, Chip, Countdown, Empty, Failure, Head, Phase, Search, Sparkline, Unread, useMedia } from "./ui.js";
import { TryNow, Verbs } from "./verbs.js";
import { bytes, count, exactly, grouped, percent, short, span } from "./words.js";

const WIDE_ROW = 34;
const NARROW_ROW = 88; // two lines of why have room in it

/** The page. Search and chips stand in the address, so that a view can be kept and shared. */
export function Page({ query }) {
  useFigures();
  const narrow = useMedia("(max-width: 760px)");
  const [chosen, setChosen] = useState(new Set());
  const text = query.get("q") ?? "";
  const phase = query.get("phase") ?? "";
  const channel = query.get("channel") ?? "";
  const set = (changes) => go(href("fleet", { q: text, phase, channel, ...changes }), { replace: true });
  const version = ranked.value;
  const rows = useMemo(allRows, [version]);
  const [open, setOpen] = useState(false); // whether those that start are shown one by one
  const closed = useClosed();
  const meant = useMemo(() => {
    const words = wordsOf(text);
    return rows
      .filter((row) => (!phase || (phase === CLOSED ? closed.has(row.account) : phase === UNWELL ? isUnwell(row) : phaseOf(row) === phase)) && (!channel || row.channel === channel) && matches(row, words))
      .sort(worstFirst(closed));
  }, [rows, text, phase, channel, closed]);
  const all = useMemo(() => meant.map((row) => row.account), [meant]);
  const items = useMemo(() => (open || phase || text ? all : folded(meant)), [meant, open, phase, text]);
  const picked = all.filter((key) => chosen.has(key));
  const { at, move, mark } = useMark(items);
  const toggle = (key) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(key)) after.add(key);
      return after;
    });
  const show = (key) => (key === STARTING ? setOpen(true) : go(href("account", key)));
  useKeys({
    j: ["the next account", () => move(1)],
    k: ["the account before", () => move(-1)],
    Enter: ["open the account", () => items[at] && show(items[at])],
    x: ["select the account", () => items[at] && (items[at] === STARTING ? setOpen(true) : toggle(items[at]))],
    a: ["select all that are shown", () => setChosen(new Set(all))],
    Escape: ["select none", () => setChosen(new Set())],
  });
  if (!loaded.value) {
    return html`<${Unread} title="Fleet" what="the accounts" error=${failure.value} onRetry=${reload} />`;
  }
  return html`<section class="fleet">
    <${Head} title="Fleet" note=${summary(rows, closed)}>
      <${Search} text=${text} onText=${(q) => set({ q })} label="Search accounts" />
      ${may("admin") && html`<a class="button" href=${href("add")}>Add account</a>`}
    <//>
    ${failure.value && html`<${Failure} error=${failure.value} onRetry=${reload} />`}
    <${Chips} rows=${rows} closed=${closed.size} phase=${phase} channel=${channel} onSet=${set} />
    <${Closed} closed=${closed} />
    ${picked.length > 0 && html`<${Verbs} keys=${picked} onDone=${(left) => setChosen(new Set(left))} />`}
    ${items.length === 0
      ? html`<${Nothing} any=${rows.length > 0} text=${text} onClear=${() => set({ q: "", phase: "", channel: "" })} />`
      : html`<${VirtualRows}
          items=${items}
          height=${narrow ? tall(NARROW_ROW) : WIDE_ROW}
          selected=${at}
          label="Accounts"
          head=${html`<${Columns} all=${picked.length === all.length} onAll=${() => setChosen(picked.length === all.length ? new Set() : new Set(all))} />`}
          onRow=${(key, _, event) => {
            if (event.target.closest("a, input, label, button")) return;
            mark(key);
            show(key);
          }}
          render=${(key) =>
            key === STARTING
              ? html`<${Starting} number=${all.length - items.length + 1} onOpen=${() => setOpen(true)} />`
              : html`<${narrow ? NarrowRow : Row} name=${key} chosen=${chosen.has(key)} lost=${closed.get(key)} onChoose=${() => toggle(key)} />`}
        />`}
  </section>`;
}

function summary(rows, closed) {
  if (!rows.length) return "";
  const { failed = 0, login = 0, backoff = 0, unwell = 0, held = 0 } = tally(rows);
  const parts = [];
  if (failed) parts.push(`${failed} failed`);
  if (login) parts.push(`${login} ${login === 1 ? "needs" : "need"} a login`);
  if (backoff) parts.push(`${backoff} in backoff`);
  if (closed.size) parts.push(`${count(closed.size, "has", "have")} an empty list`);
  if (unwell) parts.push(`${unwell} degraded`);
  if (held) parts.push(`${held} held`);
  return `${count(rows.length, "account")}, ${parts.join(", ") || "none has a fault"}`;
}

/**
 * The accounts whose empty list has cost messages within 24 hours, or lets nobody at all in, which no
 * phase shows, and how many it has cost: by key.
 */
function useClosed() {
  const found = attention.value?.closed;
  return useMemo(() => new Map(found?.map(({ account, messages }) => [account, messages])), [found]);
}

const FEW = 3; // are named, the others counted

function Closed({ closed }) {
  if (!closed.size) return null;
  const number = [...closed.values()].reduce((sum, each) => sum + each, 0);
  const what = closed.size === 1 ? "A list that lets nobody in has" : "Lists that let nobody in have";
  const said = number ? `${what} cost ${count(number, "message")} in 24 h` : `${count(closed.size, "account answers", "accounts answer")} nobody, as a list is empty`;
  const first = [...closed].sort((a, b) => b[1] - a[1]).slice(0, FEW);
  return html`<p class="closed"><b class="bad">${said}:</b>${first.map(
    ([key, lost]) => html` <a key=${key} href=${href("people", key)}>${key}</a>${closed.size > 1 && number > 0 && ` (${lost})`}`,
  )}${closed.size > FEW && html` <a href=${href("people")}>and ${closed.size - FEW} more</a>`}</p>`;
}

// Stand among the phases, in the order of the rows: those with an empty list, and those
// that run and are degraded.
const CLOSED = "closed";
const UNWELL = "degraded";
const CHIPS = PHASES.toSpliced(PHASES.indexOf("starting"), 0, CLOSED, UNWELL);
const TONES = { failed: "bad", backoff: "warn", login: "bad", closed: "bad", degraded: "warn", running: "ok" };

function Chips({ rows, closed, phase, channel, onSet }) {
  const found = { ...tally(rows), closed };
  found.degraded = found.unwell;
  const channels = new Map();
  for (const row of rows) channels.set(row.channel, (channels.get(row.channel) ?? 0) + 1);
  return html`<div class="chips" role="group" aria-label="Show only">
    <${Chip} on=${!phase && !channel} count=${rows.length} onClick=${() => onSet({ phase: "", channel: "" })}>all<//>
    ${CHIPS.filter((each) => found[each] || each === phase).map(
      (each) => html`<${Chip} key=${each} on=${each === phase} tone=${TONES[each]} count=${found[each] ?? 0} onClick=${() => onSet({ phase: each === phase ? "" : each })}>${each === CLOSED ? "empty list" : named(each)}<//>`,
    )}
    ${channels.size > 1 && html`<span class="gap"></span>`}
    ${channels.size > 1 &&
    [...channels].sort().map(
      ([each, number]) => html`<${Chip} key=${each} on=${each === channel} count=${number} onClick=${() => onSet({ channel: each === channel ? "" : each })}>${each}<//>`,
    )}
  </div>`;
}

function Columns({ all, onAll }) {
  return html`<div class="row columns" role="row">
    <span role="columnheader"><input type="checkbox" aria-label="Select all that are shown" checked=${all} onChange=${onAll} /></span>
    ${["Account", "Phase", "Restarts", "Next", "Why", "Uptime", "In / out a minute", "Memory", "CPU"].map(
      (name) => html`<span role="columnheader" key=${name}>${name}</span>`,
    )}
  </div>`;
}

/** Stands for all accounts that merely start. */
function Starting({ number, onOpen }) {
  return html`
    <span role="cell" class="pick"></span>
    <span role="cell" class="many"><b>${count(number, "account")}</b> <span class="phase busy">starting</span> <${Button} class="quiet" onClick=${onOpen}>Show each<//></span>
  `;
}

function Row({ name, chosen, lost, onChoose }) {
  const row = accountOf(name).value;
  if (!row) return null;
  const reason = whyInFull(row) || costOf(lost) || pastOf(row);
  return html`
    <span role="cell" class="pick"><input type="checkbox" aria-label=${`Select ${name}`} checked=${chosen} onChange=${onChoose} /></span>
    <span role="cell" class="who"><a href=${href("account", name)} title=${row.name ? `${name}: ${row.name}` : name}>${name}</a></span>
    <span role="cell" class="is"><${State} row=${row} lost=${lost} /></span>
    <${Restarts} row=${row} />
    <${Next} row=${row} lost=${lost} as="span" />
    ${row.phase === "running" && !why(row)
      ? html`<span role="cell" class="why" title=${reason}>${reasonOf(row, reason, lost)}</span><span role="cell" class="up"><${Uptime} row=${row} /></span><${Traffic} row=${row} />`
      : html`<span role="cell" class=${`why ${row.phase === "running" ? "over" : "to-the-end"}`} aria-colspan=${row.phase === "running" ? 3 : 5} title=${reason}><span class="cut">${reasonOf(row, reason, lost)}</span><${TryNow} row=${row} /></span>`}
    ${row.phase === "running" && html`<${Load} row=${row} />`}
  `;
}

/** The phase, or the mark of one that runs and has an empty list. */
function State({ row, lost }) {
  if (lost === undefined || row.phase !== "running") return html`<${Phase} row=${row} />`;
  return html`<span class="phase bad" title="It runs, and a list of it lets nobody in">empty list</span>`;
}

/** What comes next; what a person does in the account's configuration, or its lists, leads there. */
function Next({ row, lost, as }) {
  const { text, at, there } = next(row);
  if (!text && lost !== undefined) return html`<${as} role="cell" class="next"><a href=${href("people", row.account)}>fill its lists</a><//>`;
  const said = there ? html`<a href=${href("account", row.account, "configuration")} title=${text}>${text}</a>` : text;
  return html`<${as} role="cell" class="next">${said} ${at ? html`<${Countdown} at=${at} />` : null}<//>`;
}

function costOf(lost) {
  if (lost === undefined) return "";
  return lost ? `${count(lost, "message")} not answered in 24 h` : "answers nobody: a list is empty";
}

/** Draw why an account is as it is; what its lists do leads to them, what is past to its page. */
function reasonOf(row, reason, lost) {
  return why(row) || !reason ? reason : html`<a href=${href(lost === undefined ? "account" : "people", row.account)} style=${{ textDecoration: "underline" }}>${reason}</a>`;
}

function Restarts({ row }) {
  beat.value;
  const number = restartsOf(row);
  return html`<span role="cell" class="number restarts" title=${`${number || "none"} in the last 24 h, as far as seen; ${reasons(row)}`}>${number ? grouped(number) : ""}</span>`;
}

/** The same in three lines, for a phone. */
function NarrowRow({ name, chosen, lost, onChoose }) {
  const row = accountOf(name).value;
  if (!row) return null;
  const reason = whyInFull(row) || costOf(lost);
  const coming = next(row);
  return html`
    <span role="cell" class="pick"><input type="checkbox" aria-label=${`Select ${name}`} checked=${chosen} onChange=${onChoose} /></span>
    <span role="cell" class=${whoClass(name)}><a href=${href("account", name)}>${name}</a></span>
    <span role="cell" class="is"><${State} row=${row} lost=${lost} /></span>
    ${(coming.text || lost !== undefined) && html`<${Next} row=${row} lost=${lost} as="b" />`}
    <span role="cell" class="why">${reasonOf(row, reason, lost)}${row.phase === "running" && !reason && html`<${Uptime} row=${row} /><${Pace} row=${row} />`}</span>
    ${coming.at && html`<span role="cell" class="again"><${TryNow} row=${row} /></span>`}
  `;
}

function Pace({ row }) {
  beat.value;
  const pace = flowOf(row.account)?.pace(Date.now());
  const { rss } = figuresOf(row.account).value ?? { rss: row.rssBytes };
  return html` · ${rate(pace?.in)} in, ${rate(pace?.out)} out a minute · ${bytes(rss)}`;
}

/** Messages of the last hour as a line, and how many come in and go out per minute. */
function Traffic({ row }) {
  beat.value;
  const flow = flowOf(row.account);
  const pace = flow?.pace(Date.now());
  const lost = Object.values(row.dropped ?? {}).reduce((sum, each) => sum + each, 0);
  const all = `since the daemon began: ${grouped(row.messagesIn)} in, ${grouped(row.messagesOut)} out${lost ? `, ${grouped(lost)} dropped` : ""}`;
  return html`<span role="cell" class="flow" title=${`messages of the last hour; ${all}`}>
    ${flow && html`<${Sparkline} values=${flow.past(Date.now())} width=${56} />`}
    <span class="number">${row.phase === "running" || pace?.in || pace?.out ? `${rate(pace?.in)} / ${rate(pace?.out)}` : ""}</span>
  </span>`;
}

function rate(number = 0) {
  return number >= 10 ? short(Math.round(number)) : short(Math.round(number * 10) / 10);
}

function Load({ row }) {
  const { rss, cpu } = figuresOf(row.account).value ?? { rss: row.rssBytes, cpu: row.cpuPercent };
  return html`<span role="cell" class="number memory">${rss ? bytes(rss) : ""}</span><span role="cell" class="number cpu">${rss ? percent(cpu) : ""}</span>`;
}

function Uptime({ row }) {
  const since = upSince(row);
  if (!since) return null;
  return html`<time title=${`since ${exactly(since)}`}>${span(now.value - since, 1)}</time>`;
}

function reasons(row) {
  const parts = Object.entries(row.restartReasons ?? {}).map(([word, number]) => `${grouped(number)} ${word}`);
  if (!row.restarts) return "none since the daemon began";
  return `${grouped(row.restarts)} since the daemon began${parts.length ? `: ${parts.join(", ")}` : ""}`;
}

function Nothing({ any, text, onClear }) {
  const what = text ? `No account matches “${text}”` : "No account matches";
  if (any) {
    return html`<${Empty} title=${what}>
      <${Button} onClick=${onClear}>Show all<//>
    <//>`;
  }
  return html`<${Empty} title="There are no accounts yet">
    ${may("admin") && html`<a href=${href("add")}>Add one</a>; it starts as soon as it is saved.`}
  <//>`;
}
