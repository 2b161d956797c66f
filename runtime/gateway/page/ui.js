// Defines the elements that pages are made of, and what all of them do with the gateway.

import { now } from "./clock.js";
import { html } from "./html.js";
import { useKeys } from "./keys.js";
import { useEffect, useLayoutEffect, useRef, useState } from "./libraries/hooks.js";
import { signal } from "./libraries/signals.js";
import { phaseName, toneOf } from "./accounts.js";
import { countdown, exactly } from "./words.js";

/** The head of a page: its title, and what stands beside it. */
export function Head({ title, note, children }) {
  return html`<header class="head">
    <h1>${title}</h1>
    ${note && html`<p class="note">${note}</p>`}
    <div class="actions">${children}</div>
  </header>`;
}

/** What stands on a page until its data are there: its title, and what is read, or why it was not. */
export function Unread({ title, what, error, onRetry }) {
  return html`<section><${Head} title=${title} />${error ? html`<${Failure} error=${error} onRetry=${onRetry} />` : html`<p class="faint" role="status">Reading ${what}</p>`}</section>`;
}

/**
 * A button. `tone`: `primary`, `danger` or none; `busy` names what it is doing at the moment. What
 * `onClick` has begun and not ended (it returns a promise) is not begun once more.
 */
export function Button({ tone = "", busy = "", disabled, children, type = "button", class: extra = "", onClick, ...rest }) {
  const begun = useRef(false);
  const click = async (event) => {
    if (begun.current) return;
    begun.current = true;
    try {
      await onClick?.(event);
    } finally {
      begun.current = false;
    }
  };
  return html`<button type=${type} class=${`button ${tone} ${extra}`} disabled=${disabled || Boolean(busy)} onClick=${click} ...${rest}>
    ${busy || children}
  </button>`;
}

/** A button that chooses, with a number behind its word. */
export function Chip({ on, tone = "", count, children, ...rest }) {
  return html`<button type="button" class=${`chip ${tone}`} aria-pressed=${on ? "true" : "false"} ...${rest}>
    ${children}${count !== undefined && html` <b>${count}</b>`}
  </button>`;
}

/** A sentence of the daemon; what stands between backticks is a command. */
export function Commands({ text }) {
  return text.split("`").map((part, at) => (at % 2 ? html`<code key=${at}>${part}</code>` : part));
}

/** The phase of an account: a mark with a colour, and its word. */
export function Phase({ row }) {
  return html`<span class=${`phase ${toneOf(row)}`}>${phaseName(row)}</span>`;
}

/** The time until something, counting down. */
export function Countdown({ at }) {
  return html`<time title=${exactly(at)} datetime=${new Date(at).toISOString()}>${countdown(at, now.value)}</time>`;
}

/** A field to search in; `/` goes there. `onText` gets what stands in it. */
export function Search({ text, onText, label = "Search" }) {
  const field = useRef(null);
  useKeys({ "/": ["search", () => field.current?.focus()] });
  return html`<input
    class="search"
    type="search"
    ref=${field}
    value=${text}
    placeholder=${`${label}  /`}
    aria-label=${label}
    onInput=${(event) => onText(event.currentTarget.value)}
  />`;
}

/** What is shown where there is nothing, and what a person can do about it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children && html`<p>${children}</p>`}</div>`;
}

/** What is shown where something has failed; `onRetry` asks again. */
export function Failure({ error, onRetry }) {
  return html`<div class="failure" role="alert">
    <p>${error.message}</p>
    ${onRetry && html`<${Button} onClick=${onRetry}>Ask again<//>`}
  </div>`;
}

/** Return whether a media query holds, following it. */
export function useMedia(query) {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setHolds(list.matches);
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return holds;
}

const toasts = signal([]);
let toastNumber = 0;
const TOASTS = 4; // at once

/** Show what has been done, for some seconds, or has failed (`tone` `bad`), until a person has seen it. */
export function toast(text, tone = "") {
  const id = ++toastNumber;
  toasts.value = [...toasts.peek(), { id, text, tone }].slice(-TOASTS);
  if (tone !== "bad") setTimeout(() => dropToast(id), 5_000);
}

function dropToast(id) {
  toasts.value = toasts.peek().filter((each) => each.id !== id);
}

/** Where toasts appear; the shell has it once. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      ({ id, text, tone }) => html`<p key=${id} class=${`toast ${tone}`}>
        ${text} <button type="button" class="quiet" aria-label="Dismiss" onClick=${() => dropToast(id)}>×</button>
      </p>`,
    )}
  </div>`;
}

/** A dialog over the page; Escape closes it, and asks before where something was typed that was not sent. */
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  const typed = useRef(false);
  const [leaving, setLeaving] = useState(false);
  const leave = () => (leaving ? setLeaving(false) : typed.current ? setLeaving(true) : onClose());
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog.showModal();
    // Not at the cross in the corner, where Enter would do the contrary of what is asked.
    if (!element.current.querySelector("[autofocus]")) element.current.querySelector(".dialog :is(input, select, textarea):enabled")?.focus();
    return () => {
      dialog.close(); // while it is open nothing beneath takes the keyboard
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const pressed = useRef(false); // on the backdrop: a selection that is drawn beyond the edge closes nothing
  return html`<dialog
    ref=${element}
    class=${wide ? "wide" : ""}
    aria-label=${title}
    onCancel=${(event) => {
      event.preventDefault();
      leave();
    }}
    onKeyDown=${(event) => {
      if (event.key !== "Escape" || event.isComposing || event.target.matches("select")) return;
      event.preventDefault(); // a browser closes at the second Escape in a row whatever the page answers
      event.stopPropagation();
      leave();
    }}
    onInput=${() => (typed.current = true)}
    onSubmit=${() => (typed.current = false)}
    onPointerDown=${(event) => (pressed.current = event.target === element.current)}
    onClick=${(event) => event.target === element.current && pressed.current && leave()}
  >
    <div class="dialog">
      <header><h2>${title}</h2><button type="button" class="quiet" aria-label="Close" onClick=${leave}>×</button></header>
      ${leaving && html`<${Leaving} onDrop=${onClose} onStay=${() => setLeaving(false)} />`}
      ${children}
    </div>
  </dialog>`;
}

function Leaving({ onDrop, onStay }) {
  const stay = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    stay.current.focus();
    return () => before.focus();
  }, []);
  return html`<div class="leaving" role="group" aria-label="Drop what you have typed?">
    <p role="alert">Drop what you have typed?</p>
    <button type="button" class="button" ref=${stay} onClick=${onStay}>Go on</button>
    <${Button} tone="danger" onClick=${onDrop}>Drop it<//>
  </div>`;
}

const question = signal(null);

/**
 * Ask a person before something is done. Resolves with `null` where it is not to be done, else with
 * `{reason}`. `action` is the verb on the button, `reason` asks for a reason that is kept.
 */
export function ask({ title, text, action, danger = false, reason = false }) {
  return new Promise((resolve) => {
    question.value = { title, text, action, danger, reason, resolve };
  });
}

/** The question that is being asked; the shell has it once. */
export function Question() {
  const asked = question.value;
  const field = useRef(null);
  useEffect(() => {
    field.current?.focus();
  }, [asked]);
  if (!asked) return null;
  const end = (answer) => {
    question.value = null;
    asked.resolve(answer);
  };
  return html`<${Dialog} title=${asked.title} onClose=${() => end(null)}>
    <form
      method="dialog"
      onSubmit=${(event) => {
        event.preventDefault();
        end({ reason: field.current?.value.trim() || undefined });
      }}
    >
      <p>${asked.text}</p>
      ${asked.reason &&
      html`<label class="field"
        >Reason (optional; it is shown as the why)<input ref=${field} maxlength="500"
      /></label>`}
      <footer>
        <${Button} autofocus=${asked.danger && !asked.reason} onClick=${() => end(null)}>Cancel<//>
        <button type="submit" autofocus=${!asked.danger && !asked.reason} class=${`button ${asked.danger ? "danger" : "primary"}`}>${asked.action}</button>
      </footer>
    </form>
  <//>`;
}

const styles = new Map();

/** Load a style sheet, once; resolves when it counts. */
export function loadStyle(name) {
  if (!styles.has(name)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(name, import.meta.url).href;
    const loading = new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = () => reject(new Error(`${name} could not be loaded`));
    });
    loading.catch(() => {
      styles.delete(name); // asked for again when it is needed again
      link.remove();
    });
    styles.set(name, loading);
    document.head.append(link);
  }
  return styles.get(name);
}

/** A line of numbers drawn small; `values` from old to new. */
export function Sparkline({ values, width = 96, height = 20, tone = "accent" }) {
  if (!values.some(Boolean)) return html`<span class="sparkline" style=${{ width: `${width}px` }}></span>`;
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((each, at) => `${(at * step).toFixed(1)},${(height - 1 - (each / most) * (height - 3)).toFixed(1)}`);
  return html`<svg class=${`sparkline ${tone}`} width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} aria-hidden="true">
    <polyline points=${points.join(" ")} />
  </svg>`;
}
