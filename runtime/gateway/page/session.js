// Signs this browser in, and holds the one client that all pages share.
//
// What opens the gateway, in this order: the one-time token of `trunkline open`, a shared secret
// that a person has just typed, the device's own token. The shared secret is kept nowhere. All that
// the pages can do is asked for first, and less where this browser was approved for less.

import { bootstrapToken, forgetBootstrapToken } from "./arrival.js";
import { CLIENT, Client } from "./client.js";
import { loadDevice, obstacle } from "./identity.js";
import { effect, signal } from "./libraries/signals.js";

const SCOPES = ["admin read write pairing", "read write pairing", "read write", "read pairing", "read"]
  .map((each) => each.split(" ").map((scope) => `operator.${scope}`));
const SECRET_ERRORS = /^AUTH_|^DEVICE_AUTH|^PAIRING_REQUIRED|^DEVICE_IDENTITY/;

let device = null;
let typed = ""; // a shared secret, until it has opened the gateway
let less = 0; // the place in SCOPES of what is asked for

/** Why this browser cannot sign in at all; an empty string when it can. */
export const hindrance = signal(obstacle());

/** The client of all pages. Use `client.request`, `client.on` and `client.need`. */
export const client = new Client(address(), credentials, signedIn);

/** What the gateway said when it let us in: `snapshot`, `server`, `features`, `auth`. */
export const hello = signal(null);

/** Whether the gateway has been replaced by one of another version: this page came from the one before. */
export const outdated = signal(false);

/** The refusal that a person must answer, until the gateway lets us in; else `null`. */
export const refusal = signal(null);
effect(() => {
  const { state, error } = client.connection.value;
  if (state === "open") refusal.value = null;
  else if (state === "refused" && isTriedOtherwise(error)) queueMicrotask(() => client.open());
  else if (state === "refused") refusal.value = error;
});

/** Return whether there is another way in, no person needed: the next try takes it. */
function isTriedOtherwise({ details: { code } }) {
  if (code === "AUTH_SCOPE_MISMATCH" && less < SCOPES.length - 1) less += 1;
  else if (code === "AUTH_BOOTSTRAP_TOKEN_INVALID" && device.token) forgetBootstrapToken(); // it signed this browser in before
  else return false;
  return true;
}

/** Return whether this client may use what a scope is needed for. */
export function may(scope) {
  const scopes = hello.value?.auth?.scopes ?? [];
  return scopes.includes(`operator.${scope}`) || scopes.includes("operator.admin");
}

/** Begin: load the device's key, and connect. */
export async function begin() {
  if (hindrance.value) return;
  try {
    device = await loadDevice();
  } catch (error) {
    hindrance.value = error.message;
    return;
  }
  client.open();
}

/** Sign in with a shared token or password that a person has typed. */
export function signIn(secret) {
  typed = secret;
  less = 0; // it may open more than what was tried last
  forgetBootstrapToken();
  client.open();
}

/** Forget the device's token, and ask for a secret again. */
export async function signOut() {
  client.close();
  await device.keepToken("");
  location.hash = "#/fleet";
  location.reload();
}

/** Return whether a refusal is about who signs in, not about anything else. */
export function isAboutSecret(error) {
  return SECRET_ERRORS.test(error.details?.code ?? "");
}

async function credentials(challenge) {
  const auth = {};
  if (bootstrapToken) auth.bootstrapToken = bootstrapToken;
  else if (typed) auth.token = typed;
  else if (device.token) auth.deviceToken = device.token;
  const token = auth.token ?? auth.deviceToken ?? auth.bootstrapToken ?? "";
  const scopes = SCOPES[less];
  const signed = await device.prove(challenge, { client: CLIENT, role: "operator", scopes, token });
  return { scopes, auth, device: signed };
}

function signedIn(answer) {
  if (hello.value && hello.value.server.version !== answer.server.version) outdated.value = true;
  hello.value = answer;
  typed = "";
  forgetBootstrapToken();
  if (answer.auth?.deviceToken) device.keepToken(answer.auth.deviceToken);
}

function address() {
  const place = new URL(".", location.href);
  place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
  place.hash = "";
  return place.href;
}
