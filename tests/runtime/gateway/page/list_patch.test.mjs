// Changes of lists are made where the lists are set.

import assert from "node:assert/strict";
import test from "node:test";
import { idsIn, patchOf } from "../../../../runtime/gateway/page/list_patch.js";

const entry = {
  account: "telegram:main", dmPolicy: "allowlist", groupPolicy: "allowlist", allowFrom: ["1"], groupAllowFrom: null,
  groupsField: "groups", groups: { "-100": { require_mention: false } },
  sources: { allowFrom: "channels.telegram.allowFrom", groups: "channels.telegram.accounts.main.groups" },
}; // prettier-ignore
const form = { dmPolicy: "allowlist", groupPolicy: "allowlist", allowFrom: "1", groupAllowFrom: "", groups: "-100" };

test("a form that was not touched changes nothing", () => assert.deepEqual(patchOf(entry, form), { patch: {}, places: [] }));

test("a list of the channel is changed for the channel, one that is set nowhere becomes the account's", () => {
  const { patch, places } = patchOf(entry, { ...form, allowFrom: "1\n2", groupAllowFrom: "3", dmPolicy: "open" });
  assert.deepEqual(patch, { channels: { telegram: { allowFrom: ["1", "2"], accounts: { main: { dmPolicy: "open", groupAllowFrom: ["3"] } } } } });
  assert.deepEqual(places, ["channels.telegram.accounts.main.dmPolicy", "channels.telegram.allowFrom", "channels.telegram.accounts.main.groupAllowFrom"]);
});

test("groups are added and removed one by one, so that what is set for the others stays", () => {
  const { patch } = patchOf(entry, { ...form, groups: "-200\n*" });
  assert.deepEqual(patch.channels.telegram.accounts.main.groups, { "-200": {}, "*": {}, "-100": null });
});

test("ids stand on lines or behind commas, each once", () => assert.deepEqual(idsIn(" 1\n2, 1\n\n#a b"), ["1", "2", "#a b"]));
