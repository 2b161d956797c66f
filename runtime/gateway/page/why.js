// Asks the gateway what becomes of a message of some sender, and by which line of the configuration.

import { html } from "./html.js";
import { useState } from "./libraries/hooks.js";
import { client } from "./session.js";
import { Button, Dialog } from "./ui.js";

/** The question, and its answer, as a dialog. */
export function Why({ accounts, onClose }) {
  const [answer, setAnswer] = useState(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    const at = given.account.indexOf(":");
    const params = { channel: given.account.slice(0, at), accountId: given.account.slice(at + 1), senderId: given.sender.trim() };
    if (given.chat.trim()) params.chat = given.chat.trim();
    setSaid("");
    setAnswer(null);
    setBusy("Asking");
    try {
      setAnswer(await client.request("channels.why", params));
    } catch (error) {
      setSaid(error.message);
    }
    setBusy("");
  };
  return html`<${Dialog} title="Why was there no answer?" onClose=${onClose}>
    <form onSubmit=${submit}>
      <label class="field">Account<select name="account">${accounts.map((each) => html`<option key=${each}>${each}</option>`)}</select></label>
      <label class="field">Id of the sender<input name="sender" required maxlength="512" autocomplete="off" /></label>
      <label class="field">Id of the group (empty: a direct chat)<input name="chat" maxlength="512" autocomplete="off" /></label>
      <footer><${Button} type="submit" tone="primary" busy=${busy}>Ask<//></footer>
    </form>
    ${said && html`<p class="said" role="alert">${said}</p>`}
    ${answer &&
    html`<ul class="lines" role="status">
      ${answer.cases.map(
        (each, index) => html`<li key=${index}>
          <span class=${each.outcome === "run" ? "ok" : "warn"}>${OUTCOMES[each.outcome]}</span>
          <span>${each.text} <code>${each.configured}</code><br /><span class="faint">if ${each.verified ? "the platform vouches for the sender" : "nobody vouches for the sender"}${answer.chat ? ` and the message ${each.addressed ? "names the account" : "does not name the account"}` : ""}</span></span>
        </li>`,
      )}
    </ul>`}
  <//>`;
}

const OUTCOMES = { run: "answered", context: "read, not answered", pair: "asked to pair", drop: "not answered" };
