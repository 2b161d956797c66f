// A channel plugin for the real command line. `openclaw message send` loads the plugin of its
// channel before anything else; OpenClaw's own for IRC would connect to IRC itself, from the
// command line. This one leaves every action to the gateway, as the one for Telegram does.

const account = (id) => ({ accountId: id ?? "libera", enabled: true, configured: true });

const plugin = {
  id: "irc",
  meta: { id: "irc", label: "IRC", selectionLabel: "IRC", docsPath: "/channels/irc", blurb: "IRC" },
  capabilities: { chatTypes: ["direct", "group"] },
  config: {
    listAccountIds: () => ["libera"],
    defaultAccountId: () => "libera",
    resolveAccount: (_config, id) => account(id),
    inspectAccount: (_config, id) => account(id),
    isConfigured: () => true,
    isEnabled: () => true,
  },
  messaging: {
    normalizeTarget: (target) => target,
    targetResolver: { looksLikeId: () => true, hint: "#channel or nick" },
  },
  actions: {
    describeMessageTool: () => ({ actions: ["send"] }),
    supportsAction: ({ action }) => action === "send",
    resolveExecutionMode: () => "gateway",
    handleAction: async () => {
      throw new Error("the gateway should have done this");
    },
  },
  outbound: {
    deliveryMode: "gateway",
    resolveTarget: ({ to }) => ({ ok: true, to }),
    sendText: async () => {
      throw new Error("the gateway should have done this");
    },
  },
};

export default {
  id: "trunkline-irc",
  name: "IRC by way of the gateway",
  description: "Leaves IRC to the gateway.",
  register: (api) => api.registerChannel({ plugin }),
};
