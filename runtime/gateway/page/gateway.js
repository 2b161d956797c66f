// Shows the gateway's process, its clients, devices and nodes, and what went wrong.

import { Changes } from "./changes.js";
import { Devices } from "./devices.js";
import { Help } from "./help.js";
import { faultOf, folded } from "./faults.js";
import { html } from "./html.js";
import { useInterval } from "./interval.js";
import { useEffect, useState } from "./libraries/hooks.js";
import { Nodes } from "./nodes.js";
import { Failed, useRequest } from "./request.js";
import { href } from "./route.js";
import { client, hello, may } from "./session.js";
import { Time, Times } from "./times.js";
import { Button, Countdown, Empty, Failure, Head, ask, toast } from "./ui.js";
import { bytes, count, exactly, percent, span } from "./words.js";

const AGAIN_MS = 5_000;
const FAULTS = 6; // are shown at once

/** The page. */
export function Page() {
  const status = useRequest("status");
  const clients = useRequest("gateway.clients");
  useInterval(AGAIN_MS, () => {
    status.again();
    clients.again();
  });
  useEffect(() => client.on("presence", clients.again), []);
  return html`<section class="gateway">
    <${Head} title="Gateway" note=${status.data ? `version ${status.data.runtimeVersion}` : ""}>
      ${may("admin") && html`<${Restart} clients=${clients.data?.clients ?? []} />`}
    <//>
    <${Failed} of=${[status, clients]} />
    <${Faults} />
    ${status.data ? html`<${Process} status=${status.data} />` : !status.error && html`<p class="faint" role="status">Reading the gateway's state</p>`}
    <${Clients} found=${clients} />
    ${may("pairing") && html`<${Devices} />`}
    ${may("pairing") && html`<${Nodes} />`}
    <${Changes} />
  </section>`;
}

function Restart({ clients }) {
  const [busy, setBusy] = useState("");
  const others = clients.filter((each) => !each.you).length;
  const restart = async () => {
    const text =
      "Accounts go on running and keep what comes meanwhile. Every client loses its connection for a moment" +
      `${others ? ` (${count(others, "other one", "other ones")} at the moment)` : ""}; ours come back by themselves and miss nothing. Calls that are under way are finished first.`;
    const answer = await ask({ title: "Restart the gateway?", text, action: "Restart the gateway", danger: true, reason: true });
    if (!answer) return;
    setBusy("Restarting");
    const back = client.on("client.opened", () => {
      setBusy("");
      toast("The gateway is back, and this page with it");
      back();
    });
    try {
      await client.request("gateway.restart.request", answer.reason ? { reason: answer.reason } : {});
    } catch (error) {
      back();
      setBusy("");
      toast(error.message, "bad");
    }
  };
  return html`<${Button} tone="danger" busy=${busy} onClick=${restart}>Restart<//>`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

function Process({ status }) {
  const gateway = status.gateway ?? {};
  const { server = {}, policy = {}, auth = {} } = hello.value ?? {};
  const outbox = status.outbox ?? {};
  const dropped = Object.entries(status.dropped ?? {}).filter((each) => each[1]);
  return html`<section class="panels">
    <div class="panel">
      <h2>Process</h2>
      <dl class="facts">
        <${Fact} name="Phase"><span class=${`phase ${gateway.phase === "running" ? "ok" : "warn"}`}>${gateway.phase ?? "not reported"}</span>${gateway.cause ? ` (${gateway.cause})` : ""}<//>
        ${gateway.readyAt && html`<${Fact} name="Up for"><time title=${`since ${exactly(gateway.readyAt)}`}>${span(Date.now() - gateway.readyAt)}</time><//>`}
        <${Fact} name="Process">${gateway.pid ?? status.pid}, incarnation ${gateway.incarnation}<//>
        <${Fact} name="Failures in a row">${gateway.failures ?? 0}<//>
        <${Fact} name="Outages">${gateway.outages ?? 0}<//>
        <${Fact} name="Memory">${bytes(gateway.rssBytes)}<//>
        ${typeof gateway.cpuPercent === "number" && html`<${Fact} name="CPU">${percent(gateway.cpuPercent)}<//>`}
        <${Fact} name="Address"><code>${gateway.url || location.host}</code><//>
        ${gateway.nextTryAt && html`<${Fact} name="Next try"><${Countdown} at=${gateway.nextTryAt} /><//>`}
        ${gateway.lastError && html`<${Fact} name="Last error"><span class="bad">${gateway.lastError}</span><//>`}
      </dl>
    </div>
    <div class="panel">
      <h2>What passes through it</h2>
      <dl class="facts">
        <${Fact} name="Waits to be sent">${count(outbox.depth ?? 0, "message")}${outbox.oldestMs ? `, the oldest for ${span(outbox.oldestMs)}` : ""}<//>
        <${Fact} name="Their size">${bytes(outbox.bytes ?? 0)}<//>
        <${Fact} name="Refused, no room">${outbox.refused ?? 0}<//>
        <${Fact} name=${html`Dropped <${Help} word="dropped" />`}>${dropped.length ? dropped.map(([reason, number]) => `${number} ${reason}`).join(", ") : "nothing"}<//>
      </dl>
    </div>
    <div class="panel">
      <h2>This page's session</h2>
      <dl class="facts">
        <${Fact} name="Connection"><code>${server.connId ?? "–"}</code><//>
        <${Fact} name="Scopes">${(auth.scopes ?? []).map((each) => each.replace("operator.", "")).join(", ") || "nothing"}<//>
        <${Fact} name="Largest frame">${bytes(policy.maxPayload)}<//>
        <${Fact} name="Beat">every ${span(policy.tickIntervalMs ?? 30_000)}<//>
      </dl>
    </div>
  </section>`;
}

function Clients({ found }) {
  if (!found.data) return null;
  return html`<section class="panel" aria-labelledby="clients">
    <h2 id="clients">${count(found.data.clients.length, "client is", "clients are")} connected</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Clients">
      <table>
        <thead><tr>${["Client", "Scopes", "From", "Connected", "Requests", "Waits to be read"].map((name) => html`<th key=${name} scope="col" class=${["Requests", "Waits to be read"].includes(name) ? "number" : ""}>${name}</th>`)}</tr></thead>
        <tbody>
          ${found.data.clients.map(
            (each) => html`<tr key=${each.id}>
              <th scope="row">${each.name}${each.you ? html` <span class="ok">this page</span>` : null}<br /><span class="faint">${each.mode}, ${each.version}, protocol ${each.protocol}${each.deviceId ? `, device ${each.deviceId.slice(0, 8)}` : ""}</span></th>
              <td>${each.role === "node" ? "node" : each.scopes.map((scope) => scope.replace("operator.", "")).join(", ") || "health only"}</td>
              <td><code>${each.address || "cli.sock"}</code></td>
              <td>${span(each.ageMs)}</td>
              <td class="number">${each.requests}${each.errors ? html`<br /><span class="warn">${each.errors} refused</span>` : null}</td>
              <td class="number">${each.unread ? bytes(each.unread) : "nothing"}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function Faults() {
  const { data, error, again } = useRequest("diagnostics.stability", { limit: 50 });
  const [all, setAll] = useState(false);
  const found = folded(data?.events ?? []);
  const shown = all ? found : found.slice(0, FAULTS);
  return html`<section class="panel" aria-labelledby="faults">
    <div class="head"><h2 id="faults">What went wrong lately</h2><div class="actions"><${Button} class="quiet" onClick=${again}>Read again<//></div></div>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${data && data.events.length === 0 && html`<${Empty} title="Nothing since this gateway began" />`}
    ${data && data.events.length > 0 &&
    html`<ul class="lines">
      ${shown.map(
        ({ event, times, first }) => html`<li key=${event.seq}><span class="faint"><${Time} at=${event.ts} /></span><span>${event.account && html`<a href=${href("account", event.account)}>${event.account}</a> `}${faultOf(event)}<${Times} of=${{ times, first }} /></span></li>`,
      )}
    </ul>`}
    ${found.length > FAULTS && html`<div><${Button} class="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${found.length}`}<//></div>`}
  </section>`;
}
