import assert from "node:assert/strict";
import { test } from "node:test";
import { difference, fieldsOf, hidden, keptFor, merged, missingIn, nameOf, patchOf, secretState, textOf, valueOf } from "../../../../runtime/gateway/page/form.js";

const SCHEMA = {
  $defs: { Sasl: { type: "object", properties: { user: { type: "string" } } } },
  account: {
    type: "object",
    properties: {
      nick: { type: "string" },
      port: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
      tls: { type: "boolean", default: true },
      journal: { anyOf: [{ enum: ["on", "off"] }, { type: "null" }], default: null },
      channels: { type: "array", items: { type: "string" } },
      allowFrom: { anyOf: [{ type: "array", items: { anyOf: [{ type: "string" }, { type: "integer" }] } }, { type: "null" }], default: null },
      matrix: { type: "array", items: { type: "array" }, default: [] },
      sasl: { anyOf: [{ $ref: "#/$defs/Sasl" }, { type: "null" }] },
      key: { anyOf: [{ anyOf: [{ type: "string" }, { type: "null" }], default: null }, { type: "object" }] },
      password: { anyOf: [{ type: "string" }, { type: "object" }] },
    },
  },
};
const fields = fieldsOf(SCHEMA, SCHEMA.account, (key) => ({ key: { sensitive: true }, password: { sensitive: true }, port: { help: "host" } })[key]);

test("each type has its field", () => {
  const kinds = Object.fromEntries(fields.map(({ key, kind }) => [key, kind]));
  assert.deepEqual(kinds, {
    nick: "text", port: "number", tls: "switch", journal: "choice", channels: "lines", allowFrom: "lines", matrix: "json", sasl: "json", key: "secret", password: "secret",
  }); // prettier-ignore
  assert.deepEqual(fields.find((each) => each.key === "journal").choices, ["on", "off"]);
  assert.ok(fields.find((each) => each.key === "port").local);
});

test("only what was changed is in the patch, and nothing takes a field out", () => {
  const values = { nick: "bot", port: 6697, channels: ["#a"], sasl: { user: "u", password: "p" } };
  const edits = { nick: "bot", port: "", tls: "false", channels: "#a\n #b \n", journal: "on", sasl: '{"user": "v"}' };
  assert.deepEqual(patchOf(fields, values, edits), {
    patch: { port: null, tls: false, channels: ["#a", "#b"], journal: "on", sasl: { user: "v", password: null } },
    errors: {},
  });
});

test("what an account does not start without is named", () => {
  assert.deepEqual(missingIn(fields, undefined, {}), ["nick", "password"]);
  assert.deepEqual(missingIn(fields, { nick: "all" }, {}), ["password"]); // the channel's section has it
  assert.deepEqual(missingIn(fields, {}, { nick: "n", password: "p" }), []);
});

test("what is typed stays where another channel has a field of the same name", () => {
  const typed = { nick: "n", tls: "false", server: "s", [nameOf("irc", fields.at(-1))]: "secret" };
  assert.deepEqual(keptFor("irc", fields, typed), { nick: "n", tls: "false", password: "secret" });
  assert.deepEqual(keptFor("slack", fields, typed), { nick: "n", tls: "false" }); // no secret goes to another platform
  assert.deepEqual(keptFor("irc", [], typed), {});
});

test("a number in a list stays one, and what is typed is text", () => {
  const patch = (text) => patchOf(fields, { allowFrom: [12, "34"] }, { allowFrom: text }).patch;
  assert.deepEqual(patch("12\n34"), {});
  assert.deepEqual(patch("34\n12\n56"), { allowFrom: ["34", 12, "56"] });
});

test("what cannot be read is said at its field", () => {
  const { patch, errors } = patchOf(fields, {}, { port: "x", sasl: "{" });
  assert.deepEqual(patch, {});
  assert.equal(errors.port, '"x" is no number');
  assert.match(errors.sasl, /^no JSON: /);
});

test("a secret is written and never read", () => {
  assert.equal(textOf("secret", "__OPENCLAW_REDACTED__"), "");
  assert.equal(secretState(undefined), "not set");
  assert.equal(secretState("__OPENCLAW_REDACTED__"), "set; it is not shown");
  assert.equal(secretState({ source: "env", id: "IRC" }), "a reference: env IRC");
  assert.deepEqual(patchOf(fields, { password: "x" }, { password: "" }).patch, {});
  assert.deepEqual(patchOf(fields, {}, { password: " s p " }).patch, { password: " s p " });
  assert.deepEqual(hidden({ password: "new", nick: "n" }, ["password"]), { password: "__OPENCLAW_REDACTED__ (a new one)", nick: "n" });
});

test("a merge patch makes one object of the other", () => {
  const cases = [
    [{ a: 1, b: { c: 2, d: 3 } }, { a: 1, b: { c: 2 } }],
    [{ a: 1 }, { a: { b: 1 } }],
    [{ a: { b: 1 } }, { a: [1] }],
    [{}, { x: null === undefined }],
  ];
  for (const [before, after] of cases) assert.deepEqual(merged(before, difference(before, after)), after);
});

test("texts become values", () => {
  assert.equal(valueOf("choice", "on", ["on"]), "on");
  assert.equal(valueOf("choice", "2", [1, 2]), 2);
  assert.equal(valueOf("text", "  "), null);
  assert.deepEqual(valueOf("json", "[1]"), [1]);
});
