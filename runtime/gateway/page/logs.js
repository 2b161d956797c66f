// Shows the logs of all processes as one stream, filtered by level, process and words.

import { whoClass, wordsOf } from "./accounts.js";
import { html } from "./html.js";
import { useKeys } from "./keys.js";
import { useEffect, useMemo, useRef, useState } from "./libraries/hooks.js";
import { LEVELS, isLineMeant, lineOf, missedOf } from "./log_lines.js";
import { go, href } from "./route.js";
import { VirtualRows, useMark, useReading } from "./rows.js";
import { client } from "./session.js";
import { tall } from "./store.js";
import { Time } from "./times.js";
import { Button, Chip, Dialog, Empty, Failure, Head, Search, Unread, useMedia } from "./ui.js";
import { count, exactly } from "./words.js";

const AGAIN_MS = 1500;
const MOST = 5000;

/** Follow the stream: `{lines, error, gap, again}`; nothing is asked for while the page is hidden. */
function useLog() {
  const [state, setState] = useState({ lines: null, error: null, file: "" });
  const at = useRef({ cursor: undefined, number: 0, lines: [], streams: new Map() });
  const ask = async () => {
    const place = at.current;
    try {
      const params = place.cursor === undefined ? { limit: 1000 } : { cursor: place.cursor, limit: 1000 };
      const answer = await client.request("logs.tail", params);
      const missing = place.lines.length ? missedOf(answer) : "";
      const found = [...(missing ? [missing] : []), ...answer.lines].map((text) => lineOf(text, ++place.number, place.streams));
      const lines = found.length ? [...place.lines, ...found].slice(-MOST) : place.lines;
      at.current = { ...place, cursor: answer.cursor, lines };
      setState({ lines, error: null, file: answer.file });
    } catch (error) {
      setState((old) => ({ ...old, error }));
    }
  };
  useEffect(() => {
    let shown = true;
    let timer = 0;
    const turn = async () => {
      if (!document.hidden) await ask();
      if (shown) timer = setTimeout(turn, AGAIN_MS);
    };
    turn();
    return () => {
      shown = false;
      clearTimeout(timer);
    };
  }, []);
  return { ...state, again: ask };
}

/** The page. */
export function Page({ query }) {
  const { lines, error, file, again } = useLog();
  const reading = useReading(() => ({ rows: lines ?? [], added: lines?.at(-1)?.id ?? 0 }));
  const [open, setOpen] = useState(null);
  const narrow = useMedia("(max-width: 760px)");
  const text = query.get("q") ?? "";
  const level = query.get("level") ?? "";
  const process = query.get("process") ?? "";
  const set = (changes) => go(href("logs", { q: text, level, process, ...changes }), { replace: true });
  const source = reading.rows;
  const processes = useMemo(() => [...new Set(source.map((each) => each.process))].filter(Boolean).sort(), [source]);
  const shown = useMemo(() => {
    const which = { level, process, words: wordsOf(text) };
    return source.filter((line) => isLineMeant(line, which)).reverse();
  }, [source, level, process, text]);
  const byId = useMemo(() => new Map(shown.map((line) => [line.id, line])), [shown]);
  const items = useMemo(() => shown.map((line) => line.id), [shown]);
  const { at, move, mark } = useMark(items);
  useKeys({
    j: ["the next line", () => move(1)],
    k: ["the line before", () => move(-1)],
    Enter: ["show the whole line", () => setOpen(byId.get(items[at]) ?? null)],
    p: ["pause, or go on", reading.pause],
  });
  if (!lines) return html`<${Unread} title="Logs" what="the logs" error=${error} onRetry=${again} />`;
  return html`<section class="fill logs">
    <${Head} title="Logs" note=${`${count(items.length, "line")}, the newest first`}>
      <${Search} text=${text} onText=${(q) => set({ q })} label="Search lines" />
    <//>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    <div class="chips" role="group" aria-label="Show only">
      <${Chip} on=${!level} onClick=${() => set({ level: "" })}>all levels<//>
      ${LEVELS.slice(1, 4).map((each) => html`<${Chip} key=${each} on=${each === level} onClick=${() => set({ level: each === level ? "" : each })}>${each === "info" ? "info and worse" : each === "warning" ? "warnings and worse" : "errors"}<//>`)}
      <label class="inline">Process <select value=${process} onChange=${(event) => set({ process: event.currentTarget.value })}>
        <option value="" selected=${!process}>all</option>
        ${[...new Set([...processes, ...(process ? [process] : [])])].map((each) => html`<option key=${each} value=${each} selected=${each === process}>${each}</option>`)}
      </select></label>
      <${Button} onClick=${reading.pause} aria-pressed=${reading.paused ? "true" : "false"}>${reading.paused ? `Go on (${count(reading.behind, "new line")})` : "Pause"}<//>
      ${reading.paused && html`<span class="faint" role="status">Paused: new lines are read and wait.</span>`}
    </div>
    ${items.length === 0
      ? html`<${Empty} title=${lines.length ? "No line matches" : "Nothing has been logged yet"}>${lines.length ? html`<${Button} onClick=${() => set({ q: "", level: "", process: "" })}>Show all<//>` : null}<//>`
      : html`<${VirtualRows}
          items=${items}
          height=${narrow ? tall(48) : 26}
          selected=${at}
          label="Log lines"
          reading=${reading}
          head=${html`<div class="row columns" role="row">${["Time", "Level", "Process", "Line"].map((name) => html`<span role="columnheader" key=${name}>${name}</span>`)}</div>`}
          onRow=${(id) => {
            mark(id);
            setOpen(byId.get(id));
          }}
          render=${(id) => html`<${Row} line=${byId.get(id)} />`}
        />`}
    <p class="note">The page keeps the last ${MOST} lines. All of them are in files beside <code>${file}</code>, or by <code>trunkline logs</code>.</p>
    ${open && html`<${Line} line=${open} onClose=${() => setOpen(null)} />`}
  </section>`;
}

const TONES = { critical: "bad", error: "bad", warning: "warn" };

function Row({ line }) {
  return html`
    <span role="cell" class="when">${line.at ? html`<${Time} at=${line.at} />` : ""}</span>
    <span role="cell" class=${`level ${TONES[line.level] ?? "faint"}`}>${line.level}</span>
    <span role="cell" class=${whoClass(line.process)}>${line.process}</span>
    <span role="cell" class="text mono">${line.event} <span class="faint">${line.rest}</span></span>
  `;
}

/** All that a line says, as a dialog. */
export function Line({ line, onClose }) {
  return html`<${Dialog} title=${line.event.slice(0, 120) || "Line"} wide onClose=${onClose}>
    <dl class="facts">
      ${line.at ? html`<div><dt>Time</dt><dd>${exactly(line.at)}</dd></div>` : null}
      ${Object.entries(line.fields)
        .filter(([name]) => name !== "ts")
        .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><pre class="code" tabindex="0">${typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre></dd></div>`)}
    </dl>
  <//>`;
}
