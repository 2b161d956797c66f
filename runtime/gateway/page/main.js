// Shows the sign-in, then the page that the fragment names. The session is begun by start.js.
//
// How pages are added and what they share stands at the top of pages.js.

import { html } from "./html.js";
import { render } from "./libraries/preact.js";
import { useEffect, useErrorBoundary, useState } from "./libraries/hooks.js";
import { tally } from "./accounts.js";
import { waitingAt, warnings } from "./attention.js";
import { now } from "./clock.js";
import { focusPage, keepFocus } from "./focus.js";
import { shortcuts, useKeys } from "./keys.js";
import { PAGES, loadPage } from "./pages.js";
import { nextTheme, singleKeys, theme } from "./preferences.js";
import { go, href, route } from "./route.js";
import { client, hello, hindrance, outdated, refusal, signOut } from "./session.js";
import { SignIn } from "./signin.js";
import { allRows, ranked } from "./store.js";
import { Button, Commands, Dialog, Question, Toasts, Unread, ask } from "./ui.js";
import { count, countdown } from "./words.js";

function App() {
  if (hindrance.value || refusal.value) return html`<${SignIn} />`;
  if (!hello.value) return html`<${Arriving} />`;
  return html`<${Shell} />`;
}

function Arriving() {
  const { state, error, retryAt } = client.connection.value;
  const waits = state === "waiting";
  return html`<main class="signin"><div class="card"><p class="brand">Trunkline</p>
    <p role="status">${waits ? `No connection to ${location.host}: ${error.message}.` : `Connecting to ${location.host}`}</p>
    ${waits && html`<p>The next try is ${countdown(retryAt, now.value)}.</p>`}
  </div></main>`;
}

function Shell() {
  const [help, setHelp] = useState(false);
  const { name, parts } = route.value;
  const page = PAGES.find((each) => each.route === name);
  const title = (page?.hidden && parts[0]) || page?.title; // of an account it is the account's
  useKeys({ "?": ["this help", () => setHelp(true)] });
  useEffect(() => {
    document.title = page ? `${title} – Trunkline` : "Trunkline";
    document.querySelector('.rail [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [page, title]);
  return html`<div class="shell">
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${Navigation} page=${page} onHelp=${() => setHelp(true)} />
    <div class="stage">
      <${Banner} />
      <${Warnings} />
      <main id="content" tabindex="-1">
        ${page ? html`<${Loaded} key=${page.route} page=${page} />` : html`<${Unknown} />`}
      </main>
    </div>
    <${Toasts} />
    <${Question} />
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
  </div>`;
}

async function leave() {
  const text = "This browser forgets its token. To come back takes the command trunkline open on the gateway's host, or the gateway's token.";
  if (await ask({ title: "Sign out?", text, action: "Sign out", danger: true })) signOut();
}

function skip(event) {
  event.preventDefault();
  const content = document.getElementById("content");
  content.classList.remove("placed");
  content.focus();
}

function Navigation({ page, onHelp }) {
  ranked.value;
  const { failed = 0, backoff = 0, login = 0, unwell = 0 } = tally(allRows());
  const wrong = failed + backoff + login + unwell;
  const badges = { fleet: wrong && { number: wrong, title: `${count(wrong, "account that needs", "accounts that need")} a look` } };
  return html`<nav class="rail" aria-label="Pages">
    <a class="brand" href=${href("fleet")}>Trunkline</a>
    <ul>
      ${PAGES.filter((each) => !each.hidden).map(
        (each) => html`<li key=${each.route}>
          <a href=${href(each.route)} aria-current=${each === page || (each.route === "fleet" && page?.hidden) ? "page" : null}
            >${each.title}<${Badge} of=${badges[each.route] || waitingAt(each.route)} /></a
          >
        </li>`,
      )}
    </ul>
    <div class="tools">
      <button type="button" class="quiet" onClick=${nextTheme} title="Theme: system, light or dark">Theme: ${theme.value}</button>
      <button type="button" class="quiet" onClick=${onHelp} title="Keys (?)">Keys</button>
      <button type="button" class="quiet" onClick=${leave} title="Forget this browser's token">Sign out</button>
    </div>
  </nav>`;
}

function Badge({ of }) {
  return of ? html`<b class="badge" title=${of.title}><span aria-hidden="true">${of.number}</span><span class="unseen">: ${of.title}</span></b>` : null;
}

/**
 * Shows that there is no connection, and counts down to the next try. That stands beside the status:
 * a reader of the screen would read all of it each second.
 */
function Banner() {
  const { state, error, retryAt } = client.connection.value;
  if (state === "open") return outdated.value && html`<div class="banner"><p role="status">The gateway has another version now, and this page is the older one's.</p><${Button} onClick=${() => location.reload()}>Load the new one<//></div>`;
  const begun = state === "connecting";
  const text = begun ? `Connecting to the gateway again${error ? ` (${error.message})` : ""}` : `No connection to the gateway: ${error?.message ?? "closed"}`;
  return html`<div class="banner"><p>
    <span role="status">${text}; the accounts go on meanwhile. What stands below is as it was.</span>
    ${!begun && html` The next try is ${retryAt ? countdown(retryAt, now.value) : "up to you"}. If it stays so, run <code>trunkline status</code> on its host.`}
  </p><${Button} onClick=${() => client.open()}>Try now<//></div>`;
}

const LONG = 120; // characters; a longer warning is cut after two lines

/** Shows what an operator is warned of, on every page: two lines of the first, the rest behind a button. */
function Warnings() {
  const [all, setAll] = useState(false);
  const found = warnings.value;
  if (!found.length) return null;
  const more = found.length > 1 ? `${found.length - 1} more` : "Show all";
  return html`<div class=${`banner warnings ${all ? "" : "short"}`} role="status">
    <div>${(all ? found : found.slice(0, 1)).map((text) => html`<p key=${text}><b>Warning:</b> <${Commands} text=${text} /></p>`)}</div>
    ${(found.length > 1 || found[0].length > LONG) && html`<${Button} class="quiet" aria-expanded=${all ? "true" : "false"} onClick=${() => setAll(!all)}>${all ? "Show less" : more}<//>`}
  </div>`;
}

function Loaded({ page }) {
  const [found, setFound] = useState({});
  const [broken, mend] = useErrorBoundary((error) => console.error(error));
  const { parts, query } = route.value;
  useEffect(() => broken && mend(), [route.value]);
  const load = () => {
    setFound({});
    loadPage(page).then(
      (module) => setFound({ Page: module.Page }),
      () => setFound({ error: new Error(`${page.title} could not be loaded: the gateway did not answer.`) }),
    );
  };
  useEffect(load, [page]);
  useEffect(focusPage, [found.Page]);
  useEffect(() => (found.error ? client.on("client.opened", load) : undefined), [found.error]);
  const { title } = page;
  if (found.error) return html`<${Unread} title=${title} error=${found.error} onRetry=${load} />`;
  if (broken) return html`<${Unread} title=${title} error=${new Error(`${title} cannot be drawn: ${broken.message}`)} onRetry=${mend} />`;
  if (!found.Page) return html`<p class="faint late" role="status">Reading the page</p>`;
  return html`<${found.Page} parts=${parts} query=${query} />`;
}

function Unknown() {
  return html`<div class="empty"><h1>There is no such page</h1><p><a href=${href("fleet")}>Go to the fleet</a></p></div>`;
}

function Help({ onClose }) {
  return html`<${Dialog} title="Keys" onClose=${onClose}>
    <dl class="keys">
      ${shortcuts.value.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}
      <div><dt><kbd>↓ ↑</kbd></dt><dd>as j and k, in a list that has the focus</dd></div>
      <div><dt><kbd>Escape</kbd></dt><dd>close a dialog or an explanation, leave a field</dd></div>
    </dl>
    <footer><${Button} onClick=${() => (singleKeys.value = singleKeys.value === "on" ? "off" : "on")}>Single-key shortcuts: ${singleKeys.value}<//></footer>
  <//>`;
}

if (!location.hash) go(href("fleet"), { replace: true });
const root = document.getElementById("root");
root.textContent = "";
keepFocus(root);
render(html`<${App} />`, root);
