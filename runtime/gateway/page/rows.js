// Draws tables of any length, and keeps the row that the keyboard has chosen.

import { html } from "./html.js";
import { useEffect, useLayoutEffect, useRef, useState } from "./libraries/hooks.js";
import { Slots } from "./slots.js";

/**
 * Rows of which only those in sight are drawn.
 *
 * `items` are their keys, `height` that of one row in pixels; `render(key, index)` draws the cells of
 * one, `selected` is the index of the one that the keyboard has chosen. With `reading`
 * (`useReading`) what comes while somebody reads further down waits behind a bar, and elements are
 * used again for other rows, so that cells may keep no state. `onSeen` is called with the keys in
 * sight when they are others.
 */
export function VirtualRows({ items, height, render, selected = -1, head, label, onRow, onSeen, reading }) {
  const frame = useRef(null);
  const marked = useRef(null);
  const slots = useRef(null);
  const [view, setView] = useState({ top: 0, size: 800 });
  useLayoutEffect(() => {
    const element = frame.current;
    const look = () => setView({ top: element.scrollTop, size: element.clientHeight });
    look();
    const watch = new ResizeObserver(look);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = frame.current;
    if (selected < 0 || !element) return;
    const above = element.querySelector(".table-head")?.offsetHeight ?? 0;
    const top = selected * height;
    if (top < element.scrollTop) element.scrollTop = top;
    const bottom = top + height + above;
    if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
  }, [items[selected], height]); // not when only its place has changed: that would pull away what is read
  const first = Math.max(0, Math.floor(view.top / height) - 6);
  const last = Math.min(items.length, Math.ceil((view.top + view.size) / height) + 6);
  const shown = items.slice(first, last);
  if (reading) slots.current ??= new Slots();
  const places = slots.current?.place(shown, heldIn(frame.current)) ?? shown;
  useEffect(() => {
    const text = frame.current.querySelector(".row.selected")?.innerText; // not there until it is in sight
    if (selected < 0 || text) marked.current.textContent = (text ?? "").replace(/\s+/g, " ");
  }, [items[selected], first, last]);
  useEffect(() => onSeen?.(shown), [shown.join()]);
  const scroll = ({ currentTarget: { scrollTop: top, clientHeight: size } }) => {
    setView({ top, size });
    reading?.onTop(top < 4);
  };
  return html`<p class="unseen" role="status" ref=${marked}></p>${reading?.waits > 0 && html`<div class="news"><button type="button" class="button primary" onClick=${() => {
    frame.current.scrollTop = 0;
    reading.goOn();
  }}>${reading.waits} new</button></div>`}<div
    class="table"
    ref=${frame}
    role="table"
    aria-label=${label}
    aria-rowcount=${items.length + 1}
    tabindex="0"
    onScroll=${scroll}
  >
    ${head && html`<div class="table-head" role="rowgroup">${head}</div>`}
    <div class="table-body" role="rowgroup" style=${{ height: `${items.length * height}px` }}>
      ${shown.map((key, at) => {
        const index = first + at;
        return html`<div
          key=${places[at]}
          data-slot=${reading && places[at]}
          class=${`row ${index === selected ? "selected" : ""}`}
          role="row"
          aria-current=${index === selected ? "true" : null}
          aria-rowindex=${index + 2}
          style=${{ transform: `translateY(${index * height}px)`, height: `${height}px` }}
          onClick=${onRow && ((event) => onRow(key, index, event))}
        >
          ${render(key, index)}
        </div>`;
      })}
    </div>
  </div>`;
}

/** Return the numbers of the elements that a person presses, or that have the keyboard. */
function heldIn(table) {
  const held = table?.querySelectorAll(".row:is(:active, :focus-within)") ?? [];
  return new Set([...held].map((row) => Number(row.dataset.slot)));
}

/**
 * The row that the keyboard has chosen: `{at, move, mark}`. It stays the same one when others come
 * before it or the order changes; `mark(key)` chooses one.
 */
export function useMark(items) {
  const [marked, mark] = useState(null);
  const at = items.indexOf(marked);
  const move = (step) => mark((before) => items[Math.max(0, Math.min(items.length - 1, items.indexOf(before) + step))] ?? null);
  return { at, move, mark };
}

/**
 * Rows that stand still while somebody reads: while it is paused, and from the moment on at which
 * the list is scrolled away from its top. `now()` gives `{rows, added}`: all there are, the oldest
 * first, and how many there have been. Returns `{rows, paused, behind, pause, …}`; give it to
 * `VirtualRows` as `reading`.
 */
export function useReading(now) {
  const [held, setHeld] = useState(null); // {rows, added, asked}
  const { rows, added } = now();
  const behind = held ? added - held.added : 0;
  return {
    rows: held ? held.rows : rows,
    paused: Boolean(held?.asked),
    behind,
    waits: held && !held.asked ? behind : 0,
    pause: () => setHeld(held?.asked ? null : { rows: [...rows], added, ...held, asked: true }),
    goOn: () => setHeld(null),
    onTop: (top) =>
      setHeld((before) => {
        if (before?.asked || Boolean(before) !== top) return before;
        return top ? null : { ...copy(now()), asked: false };
      }),
  };
}

function copy({ rows, added }) {
  return { rows: [...rows], added };
}
