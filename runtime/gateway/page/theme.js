// Chooses between the dark and the light theme: the system's, until a person chooses another one.

import { effect, signal } from "./libraries/signals.js";

const NAME = "trunkline.theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

/** `system`, `light` or `dark`. */
export const theme = signal(read());

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

/** Take the next theme, and remember it. */
export function nextTheme() {
  theme.value = NEXT[theme.value];
  try {
    localStorage.setItem(NAME, theme.value);
  } catch {
    // A browser that stores nothing: it holds until the page is closed.
  }
}

function read() {
  try {
    const found = localStorage.getItem(NAME);
    return found in NEXT ? found : "system";
  } catch {
    return "system";
  }
}
