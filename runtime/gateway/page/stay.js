// Keeps a person on a page on which something was typed that is not saved.

import { useEffect } from "./libraries/hooks.js";

/** Have the browser ask before the page is left or read anew, while something is `edited`. */
export function useStay(edited) {
  useEffect(() => {
    if (!edited) return undefined;
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [edited]);
}
