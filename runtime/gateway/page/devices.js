// Lists the devices that may connect and those that wait for approval, with their tokens.

import { html } from "./html.js";
import { useEffect, useState } from "./libraries/hooks.js";
import { Failed, useRequest } from "./request.js";
import { client } from "./session.js";
import { Ago, Time } from "./times.js";
import { Button, ask, toast } from "./ui.js";
import { count } from "./words.js";

/** Make a request; says what was done, or why not. */
export async function perform(method, params, said) {
  try {
    await client.request(method, params);
    toast(said);
    return true;
  } catch (error) {
    toast(error.message, "bad");
    return false;
  }
}

/** Follow requests for approval: call a function after each. */
export function useNews(events, again) {
  useEffect(() => {
    const ends = events.map((event) => client.on(event, again));
    return () => ends.forEach((end) => end());
  }, []);
}

/** The devices. */
export function Devices() {
  const list = useRequest("device.pair.list");
  const { data, again } = list;
  useNews(["device.pair.requested", "device.pair.resolved", "presence"], () => again());
  if (!data) return html`<${Failed} of=${[list]} />`;
  return html`<section class="panel" aria-labelledby="devices">
    <${Failed} of=${[list]} />
    <h2 id="devices">${count(data.paired.length, "device")} paired${data.pending.length ? `, ${data.pending.length} ${data.pending.length === 1 ? "waits" : "wait"}` : ""}</h2>
    ${data.pending.map((each) => html`<${Pending} key=${each.requestId} request=${each} onDone=${again} />`)}
    <ul class="lines">${data.paired.map((each) => html`<li key=${each.deviceId}><${Device} device=${each} onDone=${again} /></li>`)}</ul>
    ${data.paired.length === 0 && data.pending.length === 0 && html`<p class="faint">None. A browser or an app becomes one when it signs in.</p>`}
  </section>`;
}

function nameOf(device) {
  return device.operatorLabel || device.displayName || device.clientId || device.deviceId.slice(0, 12);
}

/** What is known of a device beside its name: its program, its system, where it came from, its id. */
function aboutOf(device) {
  const called = nameOf(device) === device.displayName ? "" : device.displayName;
  const family = device.deviceFamily === device.platform ? "" : device.deviceFamily;
  const known = [called, device.clientId, device.platform, family].filter(Boolean).map((each) => `${each} · `);
  return html`${known.join("")}${device.remoteIp && html`from <code>${device.remoteIp}</code> · `}id <code>${device.deviceId.slice(0, 16)}</code>`;
}

function Pending({ request, onDone }) {
  const [busy, setBusy] = useState(false);
  const decide = async (verb, said) => {
    setBusy(true);
    await perform(`device.pair.${verb}`, { requestId: request.requestId }, said);
    setBusy(false);
    onDone();
  };
  const approve = async () => {
    const text = `It gets a token for: ${request.roles.join(", ")}; ${request.scopes.map((each) => each.replace("operator.", "")).join(", ") || "no scopes"}. Compare the id on the device: ${request.deviceId}`;
    if (await ask({ title: `Let ${nameOf(request)} connect?`, text, action: "Approve" })) await decide("approve", `${nameOf(request)} may connect`);
  };
  return html`<div class="waiting">
    <p><b>${nameOf(request)}</b> waits${request.remoteIp ? ` at ${request.remoteIp}` : ""}, since <${Ago} at=${request.ts} />. <span class="faint">${aboutOf(request)} · request <code>${request.requestId}</code></span></p>
    <p class="decide"><${Button} tone="primary" disabled=${busy} onClick=${approve}>Approve<//> <${Button} disabled=${busy} onClick=${() => decide("reject", `${nameOf(request)} may ask again`)}>Reject<//></p>
  </div>`;
}

function Device({ device, onDone }) {
  const [name, setName] = useState(null);
  const { deviceId } = device;
  const done = (worked) => worked && onDone();
  const seen = device.connected ? html`<span class="ok">connected</span>` : html`<span class="faint">last seen <${Ago} at=${device.lastSeenAtMs} /></span>`;
  const since = device.approvedAtMs || device.createdAtMs;
  const rename = async (event) => {
    event.preventDefault();
    const label = name.trim();
    if (label && !(await perform("device.pair.rename", { deviceId, label }, `It is called ${label} now`))) return; // what was typed stays
    onDone();
    setName(null);
  };
  const remove = async () => {
    const text = "Its tokens end and its connections are closed. It may ask again.";
    if (await ask({ title: `Remove ${nameOf(device)}?`, text, action: "Remove", danger: true })) {
      done(await perform("device.pair.remove", { deviceId }, `${nameOf(device)} is removed`));
    }
  };
  const revoke = async (role) => {
    const text = `Its connections as ${role} are closed, and it needs the shared secret to come back.`;
    if (await ask({ title: `Revoke the token of ${nameOf(device)}?`, text, action: "Revoke", danger: true })) {
      done(await perform("device.token.revoke", { deviceId, role }, "The token is revoked"));
    }
  };
  return html`
    <div class="device">
      ${name === null
        ? html`<p><b>${nameOf(device)}</b> ${seen}${since ? html` <span class="faint">· ${device.roles.join(" and ")} since <${Time} at=${since} /></span>` : null}</p>
            <p class="faint">${aboutOf(device)}</p>`
        : html`<form class="rename" onSubmit=${rename}><input aria-label="Name" value=${name} maxlength="64" onInput=${(event) => setName(event.currentTarget.value)} /><button class="button primary" type="submit">Rename</button><${Button} class="quiet" onClick=${() => setName(null)}>Cancel<//></form>`}
      ${device.tokens.map(
        (token) => html`<p key=${token.role} class="faint">
          Token as ${token.role}: ${token.scopes.map((each) => each.replace("operator.", "")).join(", ") || "no scopes"}${token.revokedAtMs ? html`, <span class="bad">revoked</span> <${Ago} at=${token.revokedAtMs} />` : token.lastUsedAtMs ? html`, used <${Ago} at=${token.lastUsedAtMs} />` : device.connected ? "" : ", not used yet"}
          ${!token.revokedAtMs && html` <${Button} tone="danger" class="quiet" onClick=${() => revoke(token.role)}>Revoke<//>`}
        </p>`,
      )}
    </div>
    <div class="decide"><${Button} class="quiet" onClick=${() => setName(device.operatorLabel ?? nameOf(device))}>Rename<//> <${Button} tone="danger" class="quiet" onClick=${remove}>Remove<//></div>
  `;
}
