// A channel plugin for the real command line. `openclaw message` loads the plugin of its channel
// before anything else; OpenClaw's own for IRC would connect to IRC itself, from the command line.
// This one leaves every action to the gateway, as the one for Telegram does.

const ACTIONS = ["send", "read", "react", "edit", "delete", "poll", "pin"];

const CHANNELS = [
  ["irc", "IRC", "libera"],
  ["telegram", "Telegram", "bot1"],
  ["local", "Local", "desk"],
  ["webhook", "Webhook", "ci"],
  ["discord", "Discord", "bot1"],
];

const account = (id) => ({ accountId: id ?? "default", enabled: true, configured: true });

const elsewhere = async () => {
  throw new Error("the gateway should have done this");
};

const channel = (id, label, accountId) => ({
  id,
  meta: { id, label, selectionLabel: label, docsPath: `/channels/${id}`, blurb: label },
  capabilities: { chatTypes: ["direct", "group"], polls: true },
  config: {
    listAccountIds: () => [accountId],
    defaultAccountId: () => accountId,
    resolveAccount: (_config, named) => account(named ?? accountId),
    inspectAccount: (_config, named) => account(named ?? accountId),
    isConfigured: () => true,
    isEnabled: () => true,
  },
  messaging: {
    normalizeTarget: (target) => target,
    targetResolver: { looksLikeId: () => true, hint: "#channel, nick or chat id" },
  },
  actions: {
    describeMessageTool: () => ({ actions: ACTIONS }),
    supportsAction: ({ action }) => ACTIONS.includes(action),
    resolveExecutionMode: () => "gateway",
    handleAction: elsewhere,
  },
  outbound: {
    deliveryMode: "gateway",
    resolveTarget: ({ to }) => ({ ok: true, to }),
    sendText: elsewhere,
    sendPoll: elsewhere,
  },
});

export default {
  id: "trunkline-channels",
  name: "Channels by way of the gateway",
  description: "Leaves its channels to the gateway.",
  register: (api) => {
    for (const [id, label, accountId] of CHANNELS) {
      api.registerChannel({ plugin: channel(id, label, accountId) });
    }
  },
};
