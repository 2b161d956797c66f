// Shows one account: why it is as it is, what comes next, what has happened to it, and what can be done.

import { isUnwell, next, phaseOf, toneOf, upSince, why } from "./accounts.js";
import { alike } from "./alike.js";
import { now } from "./clock.js";
import { AccountConfiguration } from "./account_config.js";
import { AccountLog } from "./account_log.js";
import { figuresOf, useFigures } from "./figures.js";
import { Help } from "./help.js";
import { html } from "./html.js";
import { useInterval } from "./interval.js";
import { useEffect, useMemo, useRef, useState } from "./libraries/hooks.js";
import { Login } from "./login.js";
import { WithPaths } from "./paths.js";
import { Failed, useConfigChanges, useRequest } from "./request.js";
import { href } from "./route.js";
import { client, may } from "./session.js";
import { accountOf, failure, keys, loaded, reload } from "./store.js";
import { Plot } from "./plot.js";
import { Ago, Time, Times } from "./times.js";
import { begin, downSince, groupsOf, saidOf } from "./tries.js";
import { Button, Commands, Countdown, Failure, Phase, Unread, ask, toast } from "./ui.js";
import { TryNow, Verbs } from "./verbs.js";
import { bytes, capital, clock, count, exactly, grouped, percent, short, span } from "./words.js";

const LISTS_MS = 15_000;
const TABS = { "": "Overview", log: "Log", configuration: "Configuration" };

/** The page: #/account/KEY, or with the tab behind it. */
export function Page({ parts }) {
  useFigures();
  const [key, tab = ""] = parts;
  const row = accountOf(key).value;
  if (!row) return loaded.value ? html`<${Absent} name=${key} />` : html`<${Unread} title=${key} what="the accounts" error=${failure.value} onRetry=${reload} />`;
  return html`<${Account} key=${key} row=${row} tab=${tab} />`;
}

/** Where there is no such account: those that may be meant, and the way to add it. */
function Absent({ name }) {
  const found = alike(name, keys.value);
  return html`<section class="account">
    <header class="head"><a href=${href("fleet")}>All accounts</a><h1>${`There is no account ${name}`}</h1></header>
    ${found.length > 0 && html`<p>Did you mean ${found.map((each, at) => html`${at > 0 && (at === found.length - 1 ? " or " : ", ")}<a key=${each} href=${href("account", each)}>${each}</a>`)}?</p>`}
    ${may("admin") && html`<p><a class="button" href=${href("add", { channel: name.split(":")[0] })}>Add account</a></p>`}
  </section>`;
}

function Account({ row, tab }) {
  const key = row.account;
  const history = useRequest("channels.events", { account: key });
  const state = `${row.phase} ${row.incarnation}`;
  const asked = useRef(state); // the history is, as it begins
  useEffect(() => {
    if (asked.current !== state) history.again();
    asked.current = state;
  }, [state]);
  useConfigChanges(history.again); // which may restart nothing
  const lists = useRequest("channels.access", { channel: row.channel });
  const access = lists.data?.accounts.find((each) => each.account === key);
  useConfigChanges(lists.again);
  useInterval(LISTS_MS, lists.again); // what they have cost comes without an event
  return html`<section class=${`account ${tab === "log" ? "fill" : ""}`}>
    <header class="head">
      <a href=${href("fleet")}>All accounts</a>
      <h1>${key}</h1>
      ${row.name && html`<p class="note">${row.name}</p>`}
    </header>
    ${failure.value && html`<${Failure} error=${failure.value} onRetry=${reload} />`}
    <${Failed} of=${[lists]} />
    <${Now} row=${row} events=${history.data?.events} />
    <${Closed} entry=${access} />
    <${Actions} row=${row} />
    <nav class="tabs" aria-label="Of this account">
      ${Object.entries(TABS).map(([name, title]) => html`<a key=${name} href=${name ? href("account", key, name) : href("account", key)} aria-current=${tab === name ? "page" : null}>${title}</a>`)}
      <a href=${href("messages", { q: key })}>Messages</a>
    </nav>
    ${tab === "log" && html`<${AccountLog} account=${key} />`}
    ${tab === "configuration" && html`<${AccountConfiguration} row=${row} />`}
    ${tab === "" && html`<${Overview} row=${row} access=${access} past=${history} />`}
  </section>`;
}

/** What is the matter, and what comes next by itself. */
function Now({ row, events = [] }) {
  const coming = next(row);
  const down = ["backoff", "failed", "login"].includes(phaseOf(row)) ? downSince(events) : null;
  const since = upSince(row);
  const reason = why(row);
  return html`<div class=${`now ${toneOf(row)}-edge`}>
    <p class="what"><${Phase} row=${row} /> <span>${reason || (row.phase === "running" ? "its process is well" : "")}</span></p>
    <p class="faint">
      ${down && html`<span>Down for <time title=${exactly(down)}>${span(now.value - down)}</time>${row.failures > 0 && `, ${count(row.failures, "failure")}`}. </span>`}
      ${coming.text && html`<span>Next: ${coming.there ? html`<a href=${href("account", row.account, "configuration")}>${coming.text}</a>` : coming.text}${coming.at ? html` at ${clock(coming.at, now.value)} (<${Countdown} at=${coming.at} />)` : null}. <${TryNow} row=${row} /> </span>`}
      ${row.todo && html`<span>To do: <${Commands} text=${row.todo} />. </span>`}
      ${row.phase === "failed" && !coming.there && html`<a href=${href("account", row.account, "configuration")}>Open its configuration</a> `}
      ${["failed", "backoff"].includes(row.phase) && html`<a href=${href("account", row.account, "log")}>Read its log</a>`}
      ${since && html`<span>Up for ${span(now.value - since)}. </span>`}
      ${isUnwell(row) && !coming.text && html`<span>The daemon watches it and replaces it if it does not recover. </span>`}
    </p>
  </div>`;
}

/** A list that lets nobody in: the account runs well and answers no one all the same. */
function Closed({ entry }) {
  if (!entry?.agent || !entry.closed.length) return null;
  return html`<div class=${entry.dropped.length ? "doors" : "now"} role="group" aria-label="Lists that let nobody in">
    ${entry.closed.map((text) => html`<p key=${text}><${WithPaths} text=${capital(text)} />.</p>`)}
    <a class="button" href=${href("people", entry.account)}>Open its lists</a>
  </div>`;
}

function Actions({ row }) {
  const [login, setLogin] = useState(false);
  const [busy, setBusy] = useState("");
  const { data } = useRequest("channels.status", { channel: row.channel });
  const able = data?.channels?.[row.channel]?.can ?? [];
  const target = { channel: row.channel, accountId: row.accountId };
  const probe = async () => {
    setBusy("Probing the platform");
    try {
      const answer = await client.request("channels.status", { channel: row.channel, probe: true, timeoutMs: 10_000 }, { timeout: 20_000 });
      const found = answer.channelAccounts[row.channel]?.find((each) => each.accountId === row.accountId)?.probe;
      if (found?.ok) toast(`${row.account}: the platform answers, in ${found.elapsedMs} ms`);
      else toast(`${row.account}: ${found?.error ?? "it does not run, so the platform was not asked"}`, "bad");
    } catch (error) {
      toast(error.message, "bad");
    }
    setBusy("");
  };
  const logout = async () => {
    const text = "It stays stopped until it is logged in and started again.";
    if (!(await ask({ title: `Log ${row.account} out?`, text, action: "Log out", danger: true }))) return;
    try {
      await client.request("channels.logout", target, { timeout: 40_000 });
      toast(`${row.account} is logged out`);
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  const admin = may("admin");
  return html`<div class="account-actions">
    <${Verbs} keys=${[row.account]} but=${next(row).at ? ["start"] : []} />
    ${admin && able.includes("login") && phaseOf(row) !== "running" && html`<${Button} tone="primary" onClick=${() => setLogin(true)}>Log in<//>`}
    ${row.phase === "running" && html`<${Button} busy=${busy} onClick=${probe}>Probe the platform<//>`}
    ${admin && row.phase === "running" && able.includes("logout") && html`<${Button} tone="danger" onClick=${logout}>Log out<//>`}
    ${login && html`<${Login} row=${row} onClose=${() => setLogin(false)} />`}
  </div>`;
}

function Overview({ row, access, past }) {
  const history = html`<div class="whole" key="history"><h2>History</h2><${Timeline} past=${past} /></div>`;
  const down = row.phase !== "running";
  return html`<div class="overview">
    ${down && history}
    <div><h2>Figures</h2><${Facts} row=${row} access=${access} /></div>
    <div><h2>Plots</h2><${Plots} account=${row.account} /></div>
    ${!down && history}
  </div>`;
}

function Facts({ row, access }) {
  const found = figuresOf(row.account).value ?? { rss: row.rssBytes, cpu: row.cpuPercent, lag: row.loopLagMs, queued: row.queued };
  const dropped = Object.entries(row.dropped ?? {}).map(([reason, number]) => `${number} ${reason}`);
  const reasons = Object.entries(row.restartReasons ?? {}).map(([reason, number]) => `${number} ${reason}`);
  const facts = [
    ["Memory", bytes(found.rss)],
    ["CPU", found.cpu === null || found.cpu === undefined ? "–" : `${percent(found.cpu)} of a core`],
    ["Messages", `${short(row.messagesIn)} in, ${short(row.messagesOut)} out since the daemon began`],
    ["Queued", count(found.queued ?? 0, "message")],
    [html`Not answered <${Help} word="not answered" />`, access ? unanswered(access) : "–"],
    [html`Dropped <${Help} word="dropped" />`, dropped.length ? dropped.join(", ") : "nothing"],
    ["Restarts", row.restarts ? `${row.restarts}: ${reasons.join(", ")}` : "none since the daemon began"],
    ["Failures in a row", row.failures],
    ["Loop lag", found.lag === null || found.lag === undefined ? "–" : `${found.lag} ms`],
    ["Agent", row.agent],
    ["Journal", row.journal],
    ["Process", row.pid ? `pid ${row.pid}, incarnation ${row.incarnation}` : `none; incarnation ${row.incarnation} was the last`],
    ["Last exit", row.lastExit ?? "–"],
    ...(row.possiblyLost === 0 || row.possiblyLost === undefined ? [] : [["Possibly lost", row.possiblyLost === null ? "unknown: it died before its first beat" : count(row.possiblyLost, "message")]]),
    ...(row.logDropped ? [["Log lines dropped", grouped(row.logDropped)]] : []),
    ["Last message in", row.plugin?.lastInboundAt ? html`<${Ago} at=${row.plugin.lastInboundAt} />` : "–"],
    ["Files of messages", bytes(row.mediaBytes)],
  ];
  return html`<dl class="facts">${facts.map(([name, value], at) => html`<div key=${at}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function unanswered({ account, dropped }) {
  const number = dropped.reduce((sum, each) => sum + each.count, 0);
  if (!number) return "none";
  return html`<a href=${href("people", account)}>${number}</a>: ${dropped.map((each) => `${each.count} because ${each.text}`).join(", ")}`;
}

const SERIES = ["in", "out", "rss", "cpu"];

function Plots({ account }) {
  const [range, setRange] = useState("1h");
  const { data, error, again } = useRequest("metrics.history", { keys: [account], series: SERIES, range });
  useInterval(range === "1h" ? 10_000 : 300_000, again);
  const plots = useMemo(() => data && dataOf(data), [data]);
  const failure = error && html`<${Failure} error=${error} onRetry=${again} />`;
  if (!plots) return failure || html`<p class="faint" role="status">Reading the past</p>`;
  const ran = plots.rss[1].some((each) => each !== null);
  return html`<div class="plots">
    ${failure}
    <div class="chips" role="group" aria-label="How far back">
      ${["1h", "24h"].map((each) => html`<button type="button" key=${each} class="chip" aria-pressed=${each === range ? "true" : "false"} onClick=${() => setRange(each)}>${each === "1h" ? "an hour" : "a day"}</button>`)}
    </div>
    <${Plot} span=${range === "1h" ? 3600 : 86_400} key=${`m${range}`} label="Messages a minute" data=${plots.messages} series=${[{ label: "in", tone: "accent" }, { label: "out", tone: "ok" }]} value=${(each) => `${short(each)} /min`} />
    ${!ran && html`<p class="faint">Memory and CPU: nothing was measured in this time.</p>`}
    ${ran && html`<${Plot} span=${range === "1h" ? 3600 : 86_400} key=${`r${range}`} label="Memory" data=${plots.rss} series=${[{ label: "memory", tone: "accent" }]} value=${(each) => `${short(Math.round(each * 10) / 10)} MiB`} />`}
    ${ran && html`<${Plot} span=${range === "1h" ? 3600 : 86_400} key=${`c${range}`} label="CPU, of one core" data=${plots.cpu} series=${[{ label: "CPU", tone: "accent" }]} value=${(each) => `${Number(each.toPrecision(2))} %`} />`}
  </div>`;
}

function dataOf({ series, from, stepMs }) {
  const times = series.in[0]?.map((_, at) => (from + at * stepMs) / 1000) ?? [];
  const of = (name, change) => (series[name][0] ?? []).map((each) => (each === null ? null : change(each)));
  const aMinute = (number) => (number * 60_000) / stepMs;
  return {
    messages: [times, of("in", aMinute), of("out", aMinute)],
    rss: [times, of("rss", (each) => each / 1024)], // MiB, so that the axis has round numbers
    cpu: [times, of("cpu", (each) => each)],
  };
}

function Timeline({ past: { data, error, again } }) {
  const [open, setOpen] = useState(new Set());
  const failure = error && html`<${Failure} error=${error} onRetry=${again} />`;
  if (!data) return failure || html`<p class="faint" role="status">Reading its history</p>`;
  if (!data.events.length) return failure || html`<p class="faint">Nothing yet.</p>`;
  return html`${failure}<ol class="timeline" tabindex="0" aria-label="History">
    ${groupsOf(data.events).map(({ events, tries }) => {
      const first = begin(events); // stays while more of the same come
      const toggle = () => setOpen((before) => new Set(before.delete(first) ? before : before.add(first)));
      return html`${tries > 0 && html`<${Tries} key=${`t${first}`} events=${events} tries=${tries} open=${open.has(first)} onOpen=${toggle} />`}
      ${(!tries || open.has(first)) && events.toReversed().map((event, at) => html`<${Happened} key=${`${event.at}-${at}`} event=${event} />`)}`;
    })}
  </ol>`;
}

/** Tries in a row that failed for the same reason, as one. */
function Tries({ events, tries, open, onOpen }) {
  const last = events.at(-1);
  return html`<li>
    <span class="range"><${Time} at=${begin(events)} />–<${Time} at=${last.at} /></span>
    <${Phase} row=${{ phase: last.phase }} />
    <span>${tries} tries: ${saidOf(last)}${last.failures > 1 && html` <span class="faint">(${last.failures} failures in a row)</span>`} <${Button} class="quiet try" aria-expanded=${open ? "true" : "false"} onClick=${onOpen}>${open ? "Fold" : "Show each"}<//></span>
  </li>`;
}

function Happened({ event }) {
  return html`<li>
    <${Time} at=${event.at} />
    ${event.note ? html`<span class="faint">changed</span>` : html`<${Phase} row=${{ phase: event.phase, cause: event.cause }} />`}
    <span><${Commands} text=${saidOf(event)} />${event.by && html` <span class="by">by ${event.by}</span>`}<${Times} of=${event} />${!event.note && event.failures > 1 ? html` <span class="faint">(${event.failures} failures in a row)</span>` : null}</span>
  </li>`;
}
