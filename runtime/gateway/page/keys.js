// Hands single keys to the component that has asked for them last: a dialog before its page.

import { useLayoutEffect } from "./libraries/hooks.js";
import { signal } from "./libraries/signals.js";
import { singleKeys } from "./preferences.js";

const layers = [];
const IN_LISTS = { ArrowDown: "j", ArrowUp: "k" }; // what has the focus is moved through by them, too

/** What the keys do that work at the moment: `[key, what]`, for the help. */
export const shortcuts = signal([]);

/**
 * Carry out functions for keys while a component is shown.
 * @param {Record<string, [string, (event: KeyboardEvent) => void]>} keys by `KeyboardEvent.key`,
 * each with what it does in words
 */
export function useKeys(keys) {
  // with the drawing, not after it: a key that is pressed on a page that is there must not be lost
  useLayoutEffect(() => {
    const layer = { keys };
    layers.push(layer);
    list();
    return () => {
      layers.splice(layers.indexOf(layer), 1);
      list();
    };
  });
}

function list() {
  const found = new Map(layers.flatMap((each) => Object.entries(each.keys)).map(([key, [what]]) => [key, what]));
  const all = [...found];
  if (JSON.stringify(all) !== JSON.stringify(shortcuts.peek())) shortcuts.value = all;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const at = event.target;
  const typing = at instanceof HTMLElement && at.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing) {
    if (event.key === "Escape") at.blur();
    return;
  }
  const shown = event.key === "Escape" && at instanceof HTMLElement && at.closest("details[open]");
  if (shown) {
    shown.open = false;
    shown.querySelector("summary").focus(); // what had the keyboard may be in it
    return;
  }
  if (document.querySelector("dialog[open]") || (event.key.length === 1 && singleKeys.value === "off")) return;
  if (event.key === "Enter" && at instanceof HTMLElement && at.closest("a, button, summary")) return;
  const key = (at instanceof HTMLElement && at.matches(".table") && IN_LISTS[event.key]) || event.key;
  for (const layer of layers.toReversed()) {
    const found = layer.keys[key];
    if (found) {
      event.preventDefault();
      found[1](event);
      return;
    }
  }
});
