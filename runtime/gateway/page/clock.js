// Ticks once a second. A component that reads `now` is drawn again with each tick, so read it only
// where something counts up or down.

import { signal } from "./libraries/signals.js";

/** The present time in milliseconds of the epoch, renewed each second while the page is seen. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) now.value = Date.now();
});
