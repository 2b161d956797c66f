// A program with @openclaw/gateway-client, told on stdin what to do, one JSON object per line:
//   {"start": {token?}}       connect with the device's identity; without a token, with the kept one
//   {"call": method, params?} ask
//   {"stop": true}            end the client, and be ready to start another
// What happens goes to stdout in the same form. argv: the folder of the packages, the URL.
import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, url] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("@openclaw/gateway-client");
const { GatewayClient } = await import(pathToFileURL(entry).href);

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const raw = (pem) => Buffer.from(createPublicKey(pem).export({ format: "jwk" }).x, "base64url");

const pair = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const identity = {
  deviceId: createHash("sha256").update(raw(pair.publicKey)).digest("hex"),
  privateKeyPem: pair.privateKey,
  publicKeyPem: pair.publicKey,
};

let kept = null;
const hostDeps = {
  loadOrCreateDeviceIdentity: () => identity,
  publicKeyRawBase64UrlFromPem: (pem) => raw(pem).toString("base64url"),
  signDevicePayload: (pem, text) => sign(null, Buffer.from(text), pem).toString("base64url"),
  loadDeviceAuthToken: () => kept,
  storeDeviceAuthToken: ({ token, scopes }) => {
    kept = { token, scopes };
    tell({ kept: { scopes } });
  },
  clearDeviceAuthToken: () => {
    kept = null;
    tell({ cleared: true });
  },
};

let client = null;
const start = ({ token }) => {
  client = new GatewayClient({
    url,
    token,
    deviceIdentity: identity,
    hostDeps,
    clientName: "cli",
    mode: "cli",
    role: "operator",
    scopes: ["operator.read", "operator.write", "operator.admin"],
    onHelloOk: (hello) => tell({ hello: { protocol: hello.protocol, auth: hello.auth } }),
    onConnectError: (error) => tell({ failed: error.message }),
    onClose: (code, reason) => tell({ closed: { code, reason } }),
    onEvent: ({ event, seq }) => tell({ event, seq }),
    onGap: (gap) => tell({ gap }),
  });
  client.start();
};

const call = async (method, params) => {
  try {
    tell({ answer: await client.request(method, params) });
  } catch (error) {
    tell({ refused: error.message });
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.start) start(order.start);
  if (order.call) await call(order.call, order.params ?? {});
  if (order.stop) {
    await client.stopAndWait();
    tell({ stopped: true });
  }
}
process.exit(0);
