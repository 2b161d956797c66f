// Keeps what a person prefers in this browser: the theme, and whether single-key shortcuts work.

import { effect, signal } from "./libraries/signals.js";

const NEXT = { system: "light", light: "dark", dark: "system" };

/** `system`, `light` or `dark`. */
export const theme = preference("theme", Object.keys(NEXT));

/** `on`, or `off` for a person who speaks to the computer, or presses keys by accident. */
export const singleKeys = preference("keys", ["on", "off"]);

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

/** Take the next theme. */
export function nextTheme() {
  theme.value = NEXT[theme.value];
}

/** Return a signal with what is stored under a name, or the first of its values; each change is stored. */
function preference(name, values) {
  const key = `trunkline.${name}`;
  let stored;
  try {
    stored = localStorage.getItem(key);
  } catch {
    // A browser that stores nothing: it holds until the page is closed.
  }
  const chosen = signal(values.includes(stored) ? stored : values[0]);
  chosen.subscribe((value) => {
    if (value === (stored ?? values[0])) return;
    stored = value;
    try {
      localStorage.setItem(key, value);
    } catch {
      // As above.
    }
  });
  return chosen;
}
