// Repeats work while a component is shown.

import { useEffect, useRef } from "./libraries/hooks.js";
import { client } from "./session.js";

/**
 * Do work every so many milliseconds. Not while the tab is hidden, and not without a connection:
 * requests that wait for one would pile up, and fail after a while.
 */
export function useInterval(milliseconds, work) {
  const newest = useRef(work);
  newest.current = work;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden && client.connection.peek().state === "open") newest.current();
    }, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}
