// Reads and writes the page's place, which lives in the fragment: #/account/irc:libera?tab=log.

import { signal } from "./libraries/signals.js";

/** Where the page is: `{name, parts, query}`; `name` is the page, `parts` what follows it. */
export const route = signal(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** Return the place that a fragment names. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = path.split("/").map(decode);
  return { name: name || "fleet", parts, query: new URLSearchParams(query) };
}

/** Return the fragment of a page: `href("account", "irc:libera")`. */
export function href(name, ...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : null;
  const path = [name, ...parts].map(encodeURIComponent).join("/").replaceAll("%3A", ":");
  const text = query ? new URLSearchParams(Object.entries(query).filter((each) => each[1])).toString() : "";
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** Go to a page; with `replace` no entry is added to the browser's history. */
export function go(place, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", place);
    route.value = parse(place);
  } else {
    location.hash = place;
  }
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
