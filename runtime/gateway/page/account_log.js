// Follows the log of one account, filtered by level and words, with a pause.

import { wordsOf } from "./accounts.js";
import { html } from "./html.js";
import { useKeys } from "./keys.js";
import { useEffect, useMemo, useRef, useState } from "./libraries/hooks.js";
import { Line } from "./logs.js";
import { LEVELS, isLineMeant, lineOf, missedOf } from "./log_lines.js";
import { VirtualRows, useMark, useReading } from "./rows.js";
import { client } from "./session.js";
import { Time } from "./times.js";
import { Button, Chip, Empty, Failure, Search, useMedia } from "./ui.js";
import { count, grouped } from "./words.js";

const PAST = 500;
const MOST = 3000;
const AGAIN_MS = 1500;

/** Follow the log: first the last lines of the account, then what all processes write from then on. */
function useAccountLog(account) {
  const [lines, setLines] = useState(null);
  const [error, setError] = useState(null);
  const place = useRef({ cursor: undefined, number: 0, streams: new Map() });
  const take = (found) => {
    const made = found.map((text) => lineOf(text, ++place.current.number, place.current.streams));
    if (made.length) setLines((before) => [...(before ?? []), ...made].slice(-MOST));
    else setLines((before) => before ?? []);
  };
  useEffect(() => {
    let shown = true;
    let timer = 0;
    const turn = async () => {
      try {
        if (place.current.cursor === undefined) {
          const end = await client.request("logs.tail", { limit: 1 });
          const past = await client.request("channels.logs", { accounts: [account], lines: PAST });
          if (!shown) return;
          place.current.cursor = end.cursor;
          take(past.lines.map((line) => JSON.stringify(line)));
        } else if (!document.hidden) {
          const answer = await client.request("logs.tail", { cursor: place.current.cursor, limit: 5000 });
          if (!shown) return;
          place.current.cursor = answer.cursor;
          const missing = missedOf(answer);
          if (missing) take([missing]);
          take(answer.lines.filter((text) => text.includes(`"${account}"`) && JSON.parse(text).account === account));
        }
        setError(null);
      } catch (failed) {
        if (shown) setError(failed);
      }
      if (shown) timer = setTimeout(turn, AGAIN_MS);
    };
    turn();
    return () => {
      shown = false;
      clearTimeout(timer);
    };
  }, [account]);
  return { lines, error };
}

/** The log of an account, the newest line first. */
export function AccountLog({ account }) {
  const { lines, error } = useAccountLog(account);
  const [text, setText] = useState("");
  const [level, setLevel] = useState("");
  const reading = useReading(() => ({ rows: lines ?? [], added: lines?.at(-1)?.id ?? 0 }));
  const [open, setOpen] = useState(null);
  const narrow = useMedia("(max-width: 760px)");
  const source = reading.rows;
  const shown = useMemo(() => {
    const words = wordsOf(text);
    return source.filter((line) => isLineMeant(line, { level, process: "", words })).reverse();
  }, [source, level, text]);
  const byId = useMemo(() => new Map(shown.map((line) => [line.id, line])), [shown]);
  const items = useMemo(() => shown.map((line) => line.id), [shown]);
  const { at, move, mark } = useMark(items);
  useKeys({
    j: ["the next line", () => move(1)],
    k: ["the line before", () => move(-1)],
    Enter: ["show the whole line", () => setOpen(byId.get(items[at]) ?? null)],
    p: ["pause, or go on", reading.pause],
  });
  if (!lines) return error ? html`<${Failure} error=${error} />` : html`<p class="faint" role="status">Reading the log</p>`;
  return html`
    <div class="chips" role="group" aria-label="Show only">
      <${Chip} on=${!level} onClick=${() => setLevel("")}>all levels<//>
      ${LEVELS.slice(1, 4).map((each) => html`<${Chip} key=${each} on=${each === level} onClick=${() => setLevel(each === level ? "" : each)}>${each === "error" ? "errors" : `${each === "warning" ? "warnings" : each} and worse`}<//>`)}
      <${Button} aria-pressed=${reading.paused ? "true" : "false"} onClick=${reading.pause}>${reading.paused ? `Go on (${count(reading.behind, "new line")})` : "Pause"}<//>
      <${Search} text=${text} onText=${setText} label="Search lines" />
    </div>
    ${error && html`<${Failure} error=${error} />`}
    ${items.length === 0
      ? html`<${Empty} title=${lines.length ? "No line matches" : "It has logged nothing yet"} />`
      : html`<div class="fill logs own-log"><${VirtualRows}
          items=${items}
          height=${narrow ? 48 : 26}
          selected=${at}
          label=${`Log of ${account}`}
          reading=${reading}
          head=${html`<div class="row columns" role="row">${["Time", "Level", "Line"].map((name) => html`<span role="columnheader" key=${name}>${name}</span>`)}</div>`}
          onRow=${(id) => {
            mark(id);
            setOpen(byId.get(id));
          }}
          render=${(id) => html`<${Row} line=${byId.get(id)} />`}
        /></div>`}
    <p class="note">The page reads the last ${PAST} lines of the account, and keeps ${grouped(MOST)}. More: <code>trunkline logs ${account}</code>, and the files.</p>
    ${open && html`<${Line} line=${open} onClose=${() => setOpen(null)} />`}
  `;
}

const TONES = { critical: "bad", error: "bad", warning: "warn" };

function Row({ line }) {
  return html`
    <span role="cell" class="when">${line.at ? html`<${Time} at=${line.at} />` : ""}</span>
    <span role="cell" class=${`level ${TONES[line.level] ?? "faint"}`}>${line.level}</span>
    <span role="cell" class="text mono" title=${`${line.event} ${line.rest}`}>${line.event} <span class="faint">${line.rest}</span></span>
  `;
}
