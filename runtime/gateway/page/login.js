// Follows the login of one account: a QR code, a code to enter, a page to open, a question to answer.

import { html } from "./html.js";
import { useEffect, useRef, useState } from "./libraries/hooks.js";
import { client } from "./session.js";
import { Button, Countdown, Dialog, Failure, toast } from "./ui.js";

const WAIT_MS = 20_000;

/** The dialog. It starts the account where that does not run, and closes once it is logged in. */
export function Login({ row, onClose }) {
  const [view, setView] = useState(null);
  const [image, setImage] = useState("");
  const [error, setError] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    let shown = true;
    const follow = async () => {
      let seen = "";
      while (shown) {
        const params = { account: row.account, seen, timeoutMs: seen ? WAIT_MS : 0, start: !seen };
        const answer = await client.request("channels.login", params, { timeout: WAIT_MS + 30_000 });
        if (!shown) return;
        seen = answer.mark;
        setView({ ...answer, at: Date.now() });
        if (answer.state === "linked") {
          toast(`${row.account} is logged in`);
          onClose();
          return;
        }
        if (answer.prompt?.kind === "qr") {
          const params = { channel: row.channel, accountId: row.accountId, timeoutMs: 0 };
          const code = await client.request("web.login.wait", params);
          if (shown) setImage(code.qrDataUrl ?? "");
        }
        if (answer.state === "ended") return;
      }
    };
    follow().catch((failed) => shown && setError(failed));
    return () => {
      shown = false;
    };
  }, [round]);
  return html`<${Dialog} title=${`Log in ${row.account}`} onClose=${onClose}>
    ${error && html`<${Failure} error=${error} onRetry=${() => {
      setError(null);
      setRound(round + 1);
    }} />`}
    ${!error && html`<${Step} row=${row} view=${view} image=${image} />`}
  <//>`;
}

function Step({ row, view, image }) {
  if (!view || view.state === "starting") return html`<p role="status">${row.account} starts; what it asks appears here.</p>`;
  if (view.state === "ended") return html`<p role="status">The login has ended: ${view.reason || view.cause || view.phase}.</p>`;
  const { prompt } = view;
  const until = prompt.expiresInMs ?? view.endsInMs;
  return html`<div class="login">
    ${prompt.kind === "qr" && html`<p>Scan this code with the phone.</p>`}
    ${prompt.kind === "qr" && image && html`<img src=${image} alt="QR code of the login" />`}
    ${prompt.kind === "code" && html`<p>Enter this code on the phone:</p><p class="code-to-enter mono">${prompt.text}</p>`}
    ${prompt.kind === "open" && html`<p>Open <a href=${safe(prompt.text)} target="_blank" rel="noreferrer noopener">${prompt.text}</a> and log in there.</p>`}
    ${prompt.kind === "ask" && html`<${Ask} key=${prompt.id} account=${row.account} prompt=${prompt} />`}
    ${prompt.hint && html`<p class="faint">${prompt.hint}</p>`}
    ${until !== null && until !== undefined && html`<p class="faint">It expires <${Countdown} at=${view.at + until} />.</p>`}
  </div>`;
}

function Ask({ account, prompt }) {
  const field = useRef(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState("");
  useEffect(() => field.current.focus(), []);
  const send = async (event) => {
    event.preventDefault();
    const text = field.current.value;
    if (!text) return;
    setBusy("Sending the answer");
    try {
      await client.request("channels.login.answer", { account, prompt: prompt.id, text });
      field.current.value = "";
      setSaid("");
    } catch (error) {
      setSaid(error.message);
    }
    setBusy("");
  };
  return html`<form onSubmit=${send}>
    <label class="field">${prompt.text}<input ref=${field} type=${prompt.secret ? "password" : "text"} autocomplete="off" /></label>
    ${said && html`<p class="said" role="alert">${said}</p>`}
    <footer><${Button} tone="primary" type="submit" busy=${busy}>Answer<//></footer>
  </form>`;
}

function safe(address) {
  return /^https?:\/\//.test(address) ? address : null;
}
