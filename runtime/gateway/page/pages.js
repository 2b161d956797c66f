// Lists the console's pages, in the order of the navigation.
//
// How a page is added: one module beside this one that exports the component `Page`, and a line
// here. `route` is the first part of the fragment (#/ROUTE/…), `title` what the navigation shows,
// `load` imports the module when the page is opened first; `hidden` ones have no entry there.
// `Page` gets `parts` (what follows the route in the fragment) and `query` (URLSearchParams).
//
// What pages share:
//   session.js   client (request, on, need, beside), hello, may(scope): "read", "write", "admin"
//   client.js    GatewayError; how sessions, requests, subscriptions and cursors work
//   store.js     one signal per account: accountOf(key), keys, allRows(), ranked, loaded
//   attention.js what waits for a person beside the phases; lookAgain() once that is decided
//   figures.js   one signal per account of what is sent every few seconds: figuresOf(key)
//   accounts.js  words and order of accounts: phaseOf, why, next, worstFirst (pure)
//   words.js     span, ago, countdown, bytes, short, clock, exactly (pure)
//   clock.js     now: a signal that ticks each second
//   interval.js  useInterval: what is asked again and again while a page is seen and connected
//   diff.js      what is different between two texts (pure); difference.js draws it: Diff
//   rows.js      VirtualRows, useMark: tables of any length, and the row that the keyboard has chosen
//   focus.js     what has the keyboard after a page, or where what had it is gone
//   request.js   useRequest, useConfigChanges, SAVE; Failed: where what was read before could not be read again
//   ui.js        Head, Button, Chip, Commands, Phase, Countdown, Search, Empty, Failure,
//                Dialog, ask(), toast(), loadStyle()
//   times.js     Ago, Time, Times: times that are over
//   stay.js      useStay: the browser asks before a page with typed text is left
//   help.js      Help: what a word means, behind a mark beside it
//   verbs.js     Verbs, TryNow: what a person does to accounts
//   plot.js      Plot: figures over time, with its axes
//   keys.js      useKeys({key: [what, function]}); the help (`?`) lists them by itself
//   route.js     route, href(name, ...parts, {query}), go(place)
//   pages.css    what most pages need beside it, loaded with the first of them: styled(load)
//   style.css    tokens of both themes at its top; use them, no colours of your own

import { loadStyle } from "./ui.js";

export const PAGES = [
  { route: "fleet", title: "Fleet", load: () => import("./fleet.js") },
  { route: "account", title: "Account", load: styled(() => import("./account.js")), hidden: true },
  { route: "add", title: "Add an account", load: styled(() => import("./add.js")), hidden: true },
  { route: "messages", title: "Messages", load: styled(() => import("./messages.js")) },
  { route: "people", title: "People", load: styled(() => import("./people.js")) },
  { route: "chat", title: "Chat", load: styled(() => import("./chat.js")) },
  { route: "gateway", title: "Gateway", load: styled(() => import("./gateway.js")) },
  { route: "logs", title: "Logs", load: styled(() => import("./logs.js")) },
  { route: "configuration", title: "Configuration", load: styled(() => import("./configuration.js")) },
];

/** Return a function that loads a page's module, and the style sheet that most pages share. */
function styled(load) {
  return async () => (await Promise.all([load(), loadStyle("pages.css")]))[0];
}

const loading = new Map();

/** Return the module of a page, imported once. */
export function loadPage(page) {
  if (!loading.has(page.route)) {
    const module = page.load();
    module.catch(() => loading.delete(page.route)); // tried again when it is opened again
    loading.set(page.route, module);
  }
  return loading.get(page.route);
}
