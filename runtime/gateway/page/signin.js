// Asks a person to sign in, and shows what is in the way.

import { html } from "./html.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { client, hindrance, isAboutSecret, refusal, signIn } from "./session.js";
import { Button } from "./ui.js";

const WORDS = {
  AUTH_TOKEN_MISSING: "",
  AUTH_PASSWORD_MISSING: "",
  DEVICE_IDENTITY_REQUIRED: "",
  AUTH_TOKEN_MISMATCH: "That is not this gateway's token.",
  AUTH_PASSWORD_MISMATCH: "That is not this gateway's password.",
  AUTH_BOOTSTRAP_TOKEN_INVALID: "This one-time address was used already or is older than a minute; run trunkline open again.",
  AUTH_DEVICE_TOKEN_MISMATCH: "This browser's sign-in has ended: it was removed or its token was revoked.",
  AUTH_SCOPE_MISMATCH: "This browser was approved for less than the console needs.",
};

/** The page for signing in, with what was refused. */
export function SignIn() {
  if (hindrance.value) {
    return html`<${Frame} title="This browser cannot sign in here"><p>${hindrance.value}</p><//>`;
  }
  const error = refusal.value;
  const code = error?.details?.code;
  if (code === "PAIRING_REQUIRED") return html`<${Waiting} error=${error} />`;
  if (error && !isAboutSecret(error)) {
    return html`<${Frame} title="The gateway refuses this page">
      <p role="alert">${error.message}</p>
      <${Button} onClick=${() => client.open()}>Try again<//>
    <//>`;
  }
  return html`<${Frame} title="Sign in"><${Form} said=${WORDS[code] ?? error?.message} /><//>`;
}

function Frame({ title, children }) {
  return html`<main class="signin"><div class="card"><p class="brand">Trunkline</p><h1>${title}</h1>${children}</div></main>`;
}

function Form({ said }) {
  const field = useRef(null);
  const [empty, setEmpty] = useState(false);
  const { state, error } = client.connection.value;
  useEffect(() => field.current.focus(), [state]); // the button loses it while it is busy
  const submit = (event) => {
    event.preventDefault();
    const secret = field.current.value.trim();
    setEmpty(!secret);
    if (!secret) return;
    field.current.value = "";
    signIn(secret);
  };
  return html`
    ${said && state === "refused" && html`<p class="said" role="alert">${said}</p>`}
    <p>On the computer where the daemon runs, this command opens the console, already signed in:</p>
    <pre class="command">trunkline open</pre>
    <form onSubmit=${submit}>
      <label class="field"
        >Or the gateway's token (gateway.auth.token)
        <input ref=${field} type="password" autocomplete="off" spellcheck="false" />
      </label>
      ${state === "waiting" && html`<p class="said" role="status">${unreached(error)}</p>`}
      ${empty && html`<p class="said" role="alert">Type the token first.</p>`}
      <${Button} type="submit" tone="primary" busy=${state === "refused" ? "" : `Signing in at ${location.host}`}>Sign in<//>
    </form>
    <p class="faint">The token opens the gateway once and is stored nowhere. After that this browser has a key of its own.</p>
  `;
}

function unreached(error) {
  return `${location.host}: ${error.message}. It is tried again by itself.`;
}

function Waiting({ error }) {
  useEffect(() => {
    const timer = setInterval(() => client.open(), 4000);
    return () => clearInterval(timer);
  }, []);
  const id = error.details.requestId ?? "";
  const { state, error: lost } = client.connection.value;
  return html`<${Frame} title="This browser waits for approval">
    <p>It is new here and does not come from the gateway's own computer. Someone who may operate the gateway approves it:</p>
    <pre class="command">trunkline devices approve ${id}</pre>
    ${state === "waiting" && html`<p class="said" role="status">${unreached(lost)}</p>`}
    <p class="faint">The page goes on by itself once that is done. It asks again every 4 s.</p>
  <//>`;
}
