// Takes the one-time token out of the address before anything else runs.
//
// `trunkline open` leads here with #bootstrap=TOKEN. The first module that runs is this one: it
// replaces the entry of the browser's history, so that the token stands in no address, no history
// and no picture of the screen. It is kept in memory until the sign-in has used it.

const PREFIX = "#bootstrap=";

/** The token that the page was opened with, or an empty string. */
export let bootstrapToken = "";

if (location.hash.startsWith(PREFIX)) {
  const [token, place = ""] = location.hash.slice(PREFIX.length).split("&go=");
  bootstrapToken = token;
  history.replaceState(null, "", `${location.pathname}#${place || "/fleet"}`);
}

/** Forget the token: it has been used, or was refused. */
export function forgetBootstrapToken() {
  bootstrapToken = "";
}
