// Made by `python -m runtime.gateway.schema --ts`; do not edit.

/** No params at all. */
export type NoParams = Record<string, never>;

/** One account by its key. */
export type AccountParams = { account: string };

/** Keys, bare channel names, or ``*``; after ``timeout_ms`` they are stopped anyway. */
export type DrainParams = { accounts: Array<string>; reason?: string | null; timeoutMs?: number };

/** One account; without ``account_id`` the channel's default one. ``reason`` is ours: it is kept with the hold. */
export type ChannelTargetParams = { channel: string; accountId?: string | null; reason?: string | null };

/** The last ``lines`` of these accounts; of every process when none is named. */
export type LinesParams = { accounts?: Array<string>; lines?: number };

/** Keys, bare channel names, or ``*``. */
export type AccountsParams = { accounts: Array<string> };

/** ``probe`` asks the platforms, each for at most ``timeout_ms``. */
export type ChannelsStatusParams = { probe?: boolean; timeoutMs?: number; channel?: string | null };

/** As ``config.set``; what concerns agents and delays is accepted and without a meaning. */
export type ApplyParams = { raw: string; baseHash?: string; sessionKey?: string; deliveryContext?: Record<string, unknown>; note?: string; restartDelayMs?: number };

/** ``raw`` is a merge patch (RFC 7396) in JSON5; lists are always replaced. */
export type PatchParams = { raw: string; baseHash?: string; sessionKey?: string; deliveryContext?: Record<string, unknown>; note?: string; restartDelayMs?: number; replacePaths?: Array<string> };

/** A path with dots; ``*``, or any name, where a name is free. */
export type PlaceParams = { path: string };

/** ``raw`` is the whole text, JSON5 (TOML where the file is); ``base_hash`` that of the text it was made from. */
export type WriteParams = { raw: string; baseHash?: string };

/** One request. */
export type DeviceRequestParams = { requestId: string };

/** One paired device. */
export type DeviceParams = { deviceId: string };

/** A name for a paired device. */
export type LabelParams = { deviceId: string; label: string };

/** The token of one role. */
export type RevokeParams = { deviceId: string; role: string };

/** The same; ``scopes`` of the new token, else those of the old one. */
export type RotateParams = { deviceId: string; role: string; scopes?: Array<string> | null };

/** The newest ``limit`` events of a ``type``, after the number ``since_seq``. */
export type StabilityParams = { limit?: number; type?: string | null; sinceSeq?: number };

/** ``accounts`` and ``events`` absent mean all. ``cursors`` holds the last cursor seen of each account: what came after it is sent before anything new. */
export type SubscribeParams = { accounts?: Array<string> | null; events?: Array<string> | null; cursors?: Record<string, string> };

/** ``reason`` is noted. Nothing needs to be deferred: calls under way are finished. */
export type DeferrableRestartParams = { reason?: string | null; delayMs?: number; skipDeferral?: boolean };

/** ``cursor`` is where the last answer ended; without it the newest lines come. */
export type TailParams = { cursor?: number; limit?: number; maxBytes?: number };

/** The fields of the OpenClaw schema; those that concern agents are accepted. */
export type MessageActionParams = { channel: string; action: string; params: Record<string, unknown>; idempotencyKey: string; accountId?: string; reply?: Record<string, unknown>; requesterAccountId?: string; requesterSenderId?: string; senderIsOwner?: boolean; sessionKey?: string; sessionId?: string; inboundTurnKind?: string; agentId?: string; toolContext?: Record<string, unknown>; conversationReadOrigin?: string };

/** One node. */
export type NodeParams = { nodeId: string };

/** Something that a node tells. */
export type NodeEventParams = { event: string; payload?: unknown; payloadJSON?: string };

/** A command for a node. Which turn of a conversation it belongs to is accepted and ignored. */
export type InvokeParams = { nodeId: string; command: string; idempotencyKey: string; params?: unknown; timeoutMs?: number; sessionKey?: string | null; turnSourceChannel?: string | null; turnSourceTo?: string | null; turnSourceAccountId?: string | null; turnSourceThreadId?: string | number | null };

/** A node's answer: the payload as JSON, or as text that holds JSON. */
export type InvokeResultParams = { id: string; nodeId: string; ok: boolean; payload?: unknown; payloadJSON?: string; error?: NodeError };

/** Why a node could not do it. */
export type NodeError = { code?: string; message?: string };

/** One request. */
export type NodeRequestParams = { requestId: string };

/** One approved node. */
export type PairedNodeParams = { nodeId: string };

/** A node that asks in its own words (Protocol 3). */
export type NodePairParams = { nodeId: string; displayName?: string | null; platform?: string | null; version?: string | null; coreVersion?: string | null; uiVersion?: string | null; deviceFamily?: string | null; modelIdentifier?: string | null; caps?: Array<string>; commands?: Array<string>; permissions?: Record<string, boolean>; remoteIp?: string | null; silent?: boolean };

/** A node's token of the time before devices had identities. */
export type VerifyParams = { nodeId: string; token: string };

/** The name that people see. */
export type RenameParams = { nodeId: string; displayName: string };

/** The fields of the OpenClaw schema; those without a meaning here are accepted. */
export type SendParams = { to: string; idempotencyKey: string; message?: string; mediaUrl?: string | null; mediaUrls?: Array<string>; channel?: string | null; accountId?: string | null; replyToId?: string | null; threadId?: string | null; agentId?: string | null; sessionKey?: string | null; gifPlayback?: boolean; forceDocument?: boolean; silent?: boolean; asVoice?: boolean; parseMode?: string | null; buffer?: string | null; filename?: string | null; contentType?: string | null };

/** What somebody says about himself. */
export type SystemEventParams = { text: string; deviceId?: string; instanceId?: string; host?: string; ip?: string; mode?: string; version?: string; platform?: string; deviceFamily?: string; modelIdentifier?: string; lastInputSeconds?: number; reason?: string; roles?: Array<string>; scopes?: Array<string>; tags?: Array<string> };

export interface MethodParams {
  /** Answer with the agents: the echo agent is the embedded default. */
  "agents.list": NoParams;
  /** Say why an account is as it is and what comes next. */
  "channels.describe": AccountParams;
  /** Stop accounts once their messages in flight are done, inbound acknowledged and outbound sent; `drained` says of each whether that was in time. */
  "channels.drain": DrainParams;
  /** Answer with the history of an account: its phases, causes and incarnations. */
  "channels.events": AccountParams;
  /** Answer with the manual stops that are remembered. */
  "channels.holds": NoParams;
  /** End an account's login; it stays down until it is started again. */
  "channels.logout": ChannelTargetParams;
  /** Answer with the last log lines of accounts, or of every process. */
  "channels.logs": LinesParams;
  /** Forgive accounts their failures. */
  "channels.reset": AccountsParams;
  /** Replace the account's process. ``incarnation`` is the one that ends. */
  "channels.restart": ChannelTargetParams;
  /** Start an account, release its hold; an operator never waits for a backoff. */
  "channels.start": ChannelTargetParams;
  /** Answer with a summary and all accounts of each channel. */
  "channels.status": ChannelsStatusParams;
  /** Stop an account and remember it over every restart. ``persisted`` is ours: false when that could not be written down. */
  "channels.stop": ChannelTargetParams;
  /** Do as `config.set`; here every write is taken over at once. */
  "config.apply": ApplyParams;
  /** Answer with the file as written and its values, secrets as `__OPENCLAW_REDACTED__`, and the `hash` that a write must name. */
  "config.get": NoParams;
  /** Change what a merge patch names and leave the rest, comments too, as it is written. */
  "config.patch": PatchParams;
  /** Answer with the JSON Schema of the configuration, installed channels included. */
  "config.schema": NoParams;
  /** Answer with one place of that schema and what is in it: `channels.irc.accounts.*`. */
  "config.schema.lookup": PlaceParams;
  /** Write the whole text, if nobody has changed it since; marks keep their secrets. */
  "config.set": WriteParams;
  /** Let a device in, with the role and scopes it asked for; nobody grants what he has not. */
  "device.pair.approve": DeviceRequestParams;
  /** Answer with the devices that wait and those that are paired. */
  "device.pair.list": NoParams;
  /** Send a device away; it may ask again. */
  "device.pair.reject": DeviceRequestParams;
  /** Forget a device and its tokens; its connections end. */
  "device.pair.remove": DeviceParams;
  /** Give a paired device a name for people: `operatorLabel` in the list. */
  "device.pair.rename": LabelParams;
  /** Make a token worthless; the connections of that role end. */
  "device.token.revoke": RevokeParams;
  /** Replace a token. Only the device itself gets the new one; another one pairs again. */
  "device.token.rotate": RotateParams;
  /** Answer with what went wrong lately: refused clients, accounts that failed. */
  "diagnostics.stability": StabilityParams;
  /** Subscribe to our events, replacing what was subscribed; what came after `cursors` is sent first. `gaps` names the accounts of which more is missing, as does the event `channel.gap`. */
  "events.subscribe": SubscribeParams;
  /** Answer with the gateway's own device identity, which is made at the first question. */
  "gateway.identity.get": NoParams;
  /** Restart the gateway at once, as `gateway.restart.request` does later. */
  "gateway.restart": NoParams;
  /** Restart the gateway in a moment; calls under way are finished, nobody is refused. */
  "gateway.restart.request": DeferrableRestartParams;
  /** Answer with the snapshot of all accounts, as the event ``health`` has it. */
  "health": unknown;
  /** Answer with the last heartbeat run of an agent: there is none. */
  "last-heartbeat": NoParams;
  /** Answer with log lines, each a JSON object as text, and the `cursor` to go on from. */
  "logs.tail": TailParams;
  /** Do what the channel's manifest says it can: send, edit, react, delete, read; once per key. */
  "message.action": MessageActionParams;
  /** Answer with one of them. */
  "node.describe": NodeParams;
  /** Take what a node tells: a sign of life counts, nothing else means anything here yet. */
  "node.event": NodeEventParams;
  /** Have a node carry out a command, once per key (300 s), and answer with what it says. */
  "node.invoke": InvokeParams;
  /** Take the answer of a node; one that nobody waits for any more is ignored. */
  "node.invoke.result": InvokeResultParams;
  /** Answer with every node that is connected or approved. */
  "node.list": NoParams;
  /** Approve the commands that a node offers. */
  "node.pair.approve": NodeRequestParams;
  /** Answer with the nodes that wait and those that are approved. */
  "node.pair.list": NoParams;
  /** Refuse them; the node stays connected and does nothing. */
  "node.pair.reject": NodeRequestParams;
  /** Forget a node, and its device as a node; its connection ends. */
  "node.pair.remove": PairedNodeParams;
  /** Ask for a node's approval; the same question again is the same request. */
  "node.pair.request": NodePairParams;
  /** Say whether a node's token is right: nodes prove themselves as devices, so none is. */
  "node.pair.verify": VerifyParams;
  /** Give an approved node a name. */
  "node.rename": RenameParams;
  /** Have every secret read anew: accounts for which one is another now are replaced (`restarted`, ours); one that cannot be read is a warning (`warnings`, ours). */
  "secrets.reload": NoParams;
  /** Send once per key: the worker knows for 300 s what it has sent. */
  "send": SendParams;
  /** End everything: accounts, gateway and supervisor. */
  "shutdown": NoParams;
  /** Answer with the version, a line per account, and (ours) every row of the accounts and what the gateway itself has dropped, by reason. */
  "status": unknown;
  /** Enter or renew a row of the presence; everybody is told within a second. */
  "system-event": SystemEventParams;
  /** Answer with the rows of everybody, the gateway itself first. */
  "system-presence": NoParams;
}
