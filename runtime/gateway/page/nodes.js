// Lists the nodes, and what they offer that waits for approval.

import { perform, useNews } from "./devices.js";
import { html } from "./html.js";
import { Failed, useRequest } from "./request.js";
import { Button, ask } from "./ui.js";
import { count } from "./words.js";

/** The nodes. */
export function Nodes() {
  const pairs = useRequest("node.pair.list");
  const nodes = useRequest("node.list");
  const again = () => {
    pairs.again();
    nodes.again();
  };
  useNews(["node.pair.requested", "node.pair.resolved", "presence"], again);
  const failure = html`<${Failed} of=${[pairs, nodes]} />`;
  if (!pairs.data || !nodes.data) return failure;
  const approved = new Set(pairs.data.paired.map((each) => each.nodeId));
  return html`<section class="panel" aria-labelledby="nodes">
    ${failure}
    <h2 id="nodes">${count(nodes.data.nodes.length, "node")}</h2>
    ${pairs.data.pending.map((each) => html`<${Pending} key=${each.requestId} request=${each} onDone=${again} />`)}
    <ul class="lines">${nodes.data.nodes.map((each) => html`<li key=${each.nodeId}><${Node} node=${each} approved=${approved.has(each.nodeId)} onDone=${again} /></li>`)}</ul>
    ${nodes.data.nodes.length === 0 && pairs.data.pending.length === 0 && html`<p class="faint">None. A node is a device that offers commands: a phone's camera, another computer's browser.</p>`}
  </section>`;
}

function nameOf(node) {
  return node.displayName || node.clientId || node.nodeId.slice(0, 12);
}

function Pending({ request, onDone }) {
  const approve = async () => {
    const text = `It may be asked for: ${request.commands.join(", ") || "nothing"}.`;
    if (await ask({ title: `Approve what ${nameOf(request)} offers?`, text, action: "Approve" })) {
      if (await perform("node.pair.approve", { requestId: request.requestId }, `${nameOf(request)} is approved`)) onDone();
    }
  };
  const reject = async () => {
    if (await perform("node.pair.reject", { requestId: request.requestId }, `${nameOf(request)} stays connected without its commands`)) onDone();
  };
  return html`<div class="waiting">
    <p><b>${nameOf(request)}</b> offers ${request.commands.join(", ") || "no commands"}. <span class="faint">${request.platform}, node ${request.nodeId.slice(0, 16)}, request <code>${request.requestId}</code></span></p>
    <p class="decide"><${Button} tone="primary" onClick=${approve}>Approve<//> <${Button} onClick=${reject}>Reject<//></p>
  </div>`;
}

function Node({ node, approved, onDone }) {
  const remove = async () => {
    const text = "Its approval and its role end, and its connection is closed. It may ask again.";
    if (await ask({ title: `Remove ${nameOf(node)}?`, text, action: "Remove", danger: true })) {
      if (await perform("node.pair.remove", { nodeId: node.nodeId }, `${nameOf(node)} is removed`)) onDone();
    }
  };
  return html`
    <div class="device">
      <p><b>${nameOf(node)}</b> <span class=${node.connected ? "ok" : "faint"}>${node.connected ? "connected" : "not connected"}</span> <span class="faint">${[node.platform, node.version].filter(Boolean).join(" ")}, node ${node.nodeId.slice(0, 16)}</span></p>
      <p class="faint">${approved ? `May be asked for: ${(node.commands ?? []).join(", ") || "nothing"}` : "Not approved: it is asked for nothing."}</p>
    </div>
    <div class="decide"><${Button} class="quiet" onClick=${remove}>Remove<//></div>
  `;
}
