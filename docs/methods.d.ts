// Made by `python -m runtime.gateway.schema --ts`; do not edit.

/** The params of ``agent``, OpenClaw's; those without effect are named in the answer. */
export type AgentParams = { message: string; idempotencyKey: string; agentId?: string | null; sessionKey?: string | null; sessionId?: string | null; to?: string | null; replyTo?: string | null; channel?: string | null; replyChannel?: string | null; accountId?: string | null; replyAccountId?: string | null; threadId?: string | null; deliver?: boolean; timeout?: number | null; extraSystemPrompt?: string | null; model?: string | null; thinking?: string | null; attachments?: Array<FileParams>; provider?: string | null; bestEffortDeliver?: boolean | null; groupId?: string | null; groupChannel?: string | null; groupSpace?: string | null; lane?: string | null; cwd?: string | null; label?: string | null; promptMode?: "full" | "minimal" | "none" | null; inputProvenance?: Record<string, unknown> | null; voiceWakeTrigger?: string | null };

/** A file in a request: base64 in ``content``, or a stored file by ``url`` and ``account``. These are ours: an address ``media:<id>`` and the key of the account whose file it is. Other fields are accepted and ignored. */
export type FileParams = { content?: string; mimeType?: string | null; fileName?: string | null; url?: string; account?: string };

/** The params of ``agent.identity.get``; without any the default agent is meant. */
export type AgentIdentityParams = { agentId?: string; sessionKey?: string };

/** The params of ``agent.wait``. */
export type AgentWaitParams = { runId: string; timeoutMs?: number };

/** The params of ``agents.attach``; ``turns`` are those that the program has not ended. */
export type AttachParams = { agentId: string; takeover?: boolean; turns?: Array<HeldTurnParams> };

/** A turn of a program; ``acked`` is the last event that it knows to be stored. */
export type HeldTurnParams = { turn: string; acked?: number };

/** The params of ``agents.detach``. */
export type DetachParams = { agentId: string };

/** An empty object. */
export type NoParams = Record<string, never>;

/** The params of ``agents.turn.end``: ``final`` with the whole text, or ``error``. */
export type TurnEndParams = { turn: string; seq: number; final?: Final | null; error?: TurnErrorParams | null };

/** The end of a turn, and its answer. ``text`` is the whole answer; ``None`` stands for all deltas together. An empty one without attachments is no answer. ``stop_reason`` is the provider's word (``stop``, ``length``, ``tool_calls``), ``model`` the one that has answered. */
export type Final = { text?: string | null; usage?: Usage | null; stopReason?: string | null; model?: string | null; attachments?: Array<Attachment> };

/** The cost of a turn in tokens. */
export type Usage = { input?: number; output?: number; cacheRead?: number; cacheWrite?: number };

/** A file that goes with a message. ``url`` is ``media:<id>`` for a file of the account's store; that of a message to send may also be ``http(s):``, ``file:`` or ``data:``. A file that came and could not be kept has the url "", and ``missing`` says why. */
export type Attachment = { url: string; mimeType?: string | null; name?: string | null; sizeBytes?: number | null; missing?: string | null };

/** The error of a turn, in the classes of agents; ``message`` is for the log. */
export type TurnErrorParams = { kind?: "failed" | "misconfigured" | "needs_login" | "rate_limited" | "refused" | "too_large" | "transient"; message?: string; retryAfter?: number | null };

/** The params of ``agents.turn.events``; ``first`` is the number of the first event. */
export type TurnEventsParams = { turn: string; first: number; events: Array<Delta | ToolCall | ToolResult | Notice> };

/** The next piece of the answer's text. */
export type Delta = { type: "delta"; text: string };

/** A tool call: made by the agent itself, or to be made by the client that offered the tool. ``arguments`` are an object, or the text that the model has written. */
export type ToolCall = { type: "toolCall"; id: string; name: string; arguments?: Record<string, unknown> | string };

/** The result of the agent's own tool call ``id``. */
export type ToolResult = { type: "toolResult"; id: string; output?: string; failed?: boolean };

/** A notice that is not part of the answer, such as a step of the work. */
export type Notice = { type: "notice"; text: string };

/** How many of the newest changes are wanted. */
export type ChangesParams = { limit?: number };

/** The params of ``channels.access``: one channel, or all. */
export type AccessParams = { channel?: string | null };

/** One account by its key. */
export type AccountParams = { account: string };

/** Keys, bare channel names, or ``*``; after ``timeout_ms`` they are stopped anyway. */
export type DrainParams = { accounts: Array<string>; reason?: string | null; timeoutMs?: number };

/** An account whose login is followed. The answer waits for at most ``timeout_ms`` until the ``mark`` differs from ``seen``, that of the last answer. ``start``: start the account if it does not run. */
export type LoginParams = { account: string; seen?: string; timeoutMs?: number; start?: boolean };

/** A person's answer to the prompt with this id. It may be a secret. */
export type LoginAnswerParams = { account: string; prompt: string; text: string };

/** The params that name one account, the channel's default one without ``account_id``. ``reason`` is ours: it is kept with the hold. */
export type ChannelTargetParams = { channel: string; accountId?: string | null; reason?: string | null };

/** The last ``lines`` of these accounts, or of every process if none is named. */
export type LinesParams = { accounts?: Array<string>; lines?: number };

/** The params of ``channels.pairing.approve``: a request by its id, or (ours) by its code. ``notify``: the person gets a message. ``bootstrap_command_owner``: the person becomes an owner, too, if there is none yet. ``unverified`` (ours) admits a sender for whom the platform does not vouch: every sender who uses that name is admitted with it. */
export type PairingApproveParams = { channel?: string | null; accountId?: string | null; requestId?: string | null; code?: string | null; notify?: boolean; bootstrapCommandOwner?: boolean; unverified?: boolean };

/** The params that name a sender of one account. */
export type PersonParams = { channel: string; senderId: string; accountId?: string | null };

/** The params of ``channels.pairing.dismiss``. */
export type PairingDismissParams = { channel: string; requestId: string; accountId?: string | null };

/** The params of ``channels.pairing.list``: one channel, or all. */
export type PairingListParams = { channel?: string | null };

/** Keys, bare channel names, or ``*``. */
export type AccountsParams = { accounts: Array<string> };

/** The params of ``channels.status``: ``probe`` asks each platform for ``timeout_ms``. */
export type ChannelsStatusParams = { probe?: boolean; timeoutMs?: number; channel?: string | null };

/** The params of ``channels.why``: a sender, in a direct chat or in the group ``chat``. ``thread`` is one of the chat's threads or topics, ``guild`` the server to which a Discord channel belongs; ``roles`` are the sender's. */
export type WhyParams = { channel: string; senderId: string; accountId?: string | null; chat?: string | null; thread?: string | null; guild?: string | null; roles?: Array<string> };

/** The params of ``chat.abort``; without ``run_id`` all runs of the session are meant. */
export type ChatAbortParams = { sessionKey: string; runId?: string | null; agentId?: string | null; preserveSideRuns?: boolean | null };

/** The params of ``chat.history``. ``offset`` counts back from the newest entry. */
export type ChatHistoryParams = { sessionKey: string; limit?: number; offset?: number; maxChars?: number; agentId?: string | null };

/** The params of ``chat.inject``. */
export type ChatInjectParams = { sessionKey: string; message: string; label?: string | null; agentId?: string | null };

/** The params of ``chat.message.get``: ``message_id`` as ``chat.history`` has it. */
export type ChatMessageGetParams = { sessionKey: string; messageId: string; maxChars?: number; agentId?: string | null };

/** The params of ``chat.metadata``; ``agent_id`` shows that agent's model alone. */
export type ChatMetadataParams = { agentId?: string | null; sessionKey?: string | null };

/** The params of ``chat.send``, OpenClaw's; those without effect are named in the answer. */
export type ChatSendParams = { sessionKey: string; message: string; idempotencyKey: string; agentId?: string | null; sessionId?: string | null; thinking?: string | null; fastMode?: boolean | "auto" | null; queueMode?: "collect" | "followup" | "interrupt" | "steer" | null; deliver?: boolean; originatingChannel?: string | null; originatingTo?: string | null; originatingAccountId?: string | null; originatingThreadId?: string | null; replyToId?: string | null; attachments?: Array<FileParams>; timeoutMs?: number | null; expectedLeafEntryId?: string | null; suppressCommandInterpretation?: boolean };

/** The params of ``commands.list``; the list is the same for every agent and scope. */
export type CommandsListParams = { agentId?: string | null; provider?: string | null; scope?: "both" | "native" | "text" | null; includeArgs?: boolean };

/** The params of ``config.apply``; those about agents and delays are accepted and ignored. */
export type ApplyParams = { raw: string; baseHash?: string; sessionKey?: string; deliveryContext?: Record<string, unknown>; note?: string; restartDelayMs?: number };

/** The params of ``config.patch``: ``raw`` is a merge patch (RFC 7396) in JSON5. Lists are always replaced. */
export type PatchParams = { raw: string; baseHash?: string; sessionKey?: string; deliveryContext?: Record<string, unknown>; note?: string; restartDelayMs?: number; replacePaths?: Array<string> };

/** A dotted path; ``*`` or any name stands for an arbitrary key. */
export type PlaceParams = { path: string };

/** The whole text of a configuration file, ``raw``: JSON5, or TOML where the file is. ``base_hash`` is the hash of the text that it was made from. */
export type WriteParams = { raw: string; baseHash?: string };

/** ``patch``: ``raw`` is a merge patch, as for ``config.patch``. */
export type ValidateParams = { raw: string; baseHash?: string; patch?: boolean };

/** The params of ``cron.add``. ``catchUp`` is ours: what to do about missed times. */
export type NewJob = { name: string; schedule: AtSchedule | EverySchedule | CronSchedule; sessionTarget: string; wakeMode: "next-heartbeat" | "now"; payload: SystemEventPayload | AgentTurnPayload; agentId?: string | null; sessionKey?: string | null; description?: string; enabled?: boolean; deleteAfterRun?: boolean; delivery?: JobDelivery; failureAlert?: false | JobFailureAlert; catchUp?: "none" | "one" };

/** A single run, at an ISO 8601 time. */
export type AtSchedule = { kind: "at"; at: string };

/** A run every so many milliseconds from ``anchorMs`` (default: the job's creation). */
export type EverySchedule = { kind: "every"; everyMs: number; anchorMs?: number };

/** The times of a cron expression, in the zone ``tz`` (default: the host's). */
export type CronSchedule = { kind: "cron"; expr: string; tz?: string; staggerMs?: number };

/** A text for the main session of an agent. */
export type SystemEventPayload = { kind: "systemEvent"; text: string };

/** A turn of an agent in a session of its own. */
export type AgentTurnPayload = { kind: "agentTurn"; message: string; model?: string | null; thinking?: string | null; timeoutSeconds?: number; toolsAllow?: Array<string> | null; lightContext?: boolean };

/** The delivery of a run's answer: to a chat (``announce``), to a URL, or none. */
export type JobDelivery = { mode?: "announce" | "none" | "webhook"; channel?: string | null; to?: string | null; accountId?: string | null; threadId?: string | number | null; bestEffort?: boolean };

/** After how many failures in a row an alert is sent, and where. */
export type JobFailureAlert = { after?: number; cooldownMs?: number; mode?: "announce" | "webhook"; channel?: string; to?: string; accountId?: string; includeSkipped?: boolean };

/** The params that name one job, by either name of OpenClaw's. */
export type CronJobParams = { id?: string | null; jobId?: string | null };

/** The params of ``cron.list``. */
export type CronListParams = { includeDisabled?: boolean; enabled?: "all" | "disabled" | "enabled" | null; limit?: number; offset?: number; query?: string; agentId?: string | null; sortBy?: "createdAtMs" | "name" | "nextRunAtMs" | "updatedAtMs"; sortDir?: "asc" | "desc"; includeDeliveryPreviews?: boolean; compact?: boolean | null };

/** The params of ``cron.run``. */
export type CronRunParams = { id?: string | null; jobId?: string | null; mode?: "due" | "force" | "if-enabled" };

/** The params of ``cron.runs``: of one job, else of all. */
export type CronRunsParams = { id?: string | null; jobId?: string | null; scope?: "all" | "job" | null; limit?: number; offset?: number; status?: "all" | "error" | "ok" | "skipped"; runId?: string | null; query?: string; sortDir?: "asc" | "desc" };

/** The params of ``cron.update``. */
export type CronUpdateParams = { id?: string | null; jobId?: string | null; patch: JobPatch };

/** The patch of ``cron.update``; unnamed fields stay. */
export type JobPatch = { name?: string; schedule?: AtSchedule | EverySchedule | CronSchedule; sessionTarget?: string; wakeMode?: "next-heartbeat" | "now"; payload?: PayloadPatch; agentId?: string | null; sessionKey?: string | null; description?: string; enabled?: boolean; deleteAfterRun?: boolean; delivery?: DeliveryPatch; failureAlert?: false | JobFailureAlert | null; catchUp?: "none" | "one" };

/** Changes of a payload: merged if of the same kind, otherwise a replacement. */
export type PayloadPatch = { kind: "agentTurn" | "systemEvent"; text?: string; message?: string; model?: string | null; thinking?: string | null; timeoutSeconds?: number; toolsAllow?: Array<string> | null; lightContext?: boolean };

/** Changes of a delivery, merged into it; ``null`` removes a field. */
export type DeliveryPatch = { mode?: "announce" | "none" | "webhook"; channel?: string | null; to?: string | null; accountId?: string | null; threadId?: string | number | null; bestEffort?: boolean };

/** The params that name one dead letter. */
export type LetterParams = { id: string };

/** The params of ``deadletters.list``: how many, the oldest first, and of which account. */
export type LettersParams = { limit?: number; account?: string | null };

/** The params that name one pairing request. */
export type DeviceRequestParams = { requestId: string };

/** The params that name one paired device. */
export type DeviceParams = { deviceId: string };

/** The params of ``device.pair.rename``: a paired device and its new name. */
export type LabelParams = { deviceId: string; label: string };

/** The params that name a device's token of one role. */
export type RevokeParams = { deviceId: string; role: string };

/** The params of ``device.token.rotate``; without ``scopes`` the new token has the old ones. */
export type RotateParams = { deviceId: string; role: string; scopes?: Array<string> | null };

/** The params of ``diagnostics.stability``: how many events, their type, after which. */
export type StabilityParams = { limit?: number; type?: string | null; sinceSeq?: number };

/** The params of ``events.subscribe``: ``accounts`` and ``events`` absent mean all. ``cursors`` holds the last cursor seen of each account, or where the last subscription began: what came after it is sent before anything new. ``*`` stands for accounts that are not named. ``runs`` are the sessions whose events ``agent`` and ``chat`` are sent: ``True`` means those of all, as before any choice; absent it changes nothing. So it is with ``figures``, whether and how often ``channel.figures`` is sent (before any choice: not at all), and with ``health``, whether changes of the health are (before any choice: yes). */
export type SubscribeParams = { accounts?: Array<string> | null; events?: Array<string> | null; cursors?: Record<string, string>; runs?: boolean | Array<string> | null; figures?: boolean | FigureParams | null; health?: boolean | null };

/** How often a client is sent the event ``channel.figures``; workers beat every 5 seconds. */
export type FigureParams = { everyMs?: number };

/** The params of ``gateway.restart.request``; ``reason`` is logged. ``skip_deferral`` is ignored, for nothing is deferred: calls under way are finished. */
export type DeferrableRestartParams = { reason?: string | null; delayMs?: number; skipDeferral?: boolean };

/** The params of ``local.say``: who says what to which account; each line is a message. */
export type LocalSayParams = { accountId: string; name: string; text: string };

/** ``cursor`` is the end of the last answer; without it the newest lines are returned. */
export type TailParams = { cursor?: number; limit?: number; maxBytes?: number };

/** Which files: their addresses ``media:<id>``, as messages of the account have them. */
export type MediaTicketParams = { channel: string; urls: Array<string>; accountId?: string | null };

/** The params of the OpenClaw schema; those that concern agents are accepted and ignored. */
export type MessageActionParams = { channel: string; action: string; params: Record<string, unknown>; idempotencyKey: string; accountId?: string; reply?: Record<string, unknown>; requesterAccountId?: string; requesterSenderId?: string; senderIsOwner?: boolean; sessionKey?: string; sessionId?: string; inboundTurnKind?: string; agentId?: string; toolContext?: Record<string, unknown>; conversationReadOrigin?: string };

/** The params of ``messages.forget``: a sender's id at the platform, in one account or all. */
export type ForgetParams = { sender: string; account?: string | null };

/** The params of ``messages.outcomes``: messages in by cursor, messages out by key. */
export type OutcomesParams = { messages: Array<NamedMessage> };

/** One message: its account, and a ``cursor`` or an idempotency ``key``. ``cursor`` is that of its event, ``key`` that under which it was sent. ``id`` is the platform's, by which a message without a journal is known. */
export type NamedMessage = { account: string; cursor?: string; key?: string; id?: string };

/** The params of ``messages.recent``: how many, of some ``accounts`` or of all. */
export type RecentParams = { limit?: number; accounts?: Array<string> | null };

/** The params of ``messages.trace``: an account, and one of cursor and message id; or a run. */
export type TraceParams = { channel?: string | null; accountId?: string | null; messageId?: string | null; cursor?: string | null; runId?: string | null };

/** The params of ``metrics.history``: ``keys`` absent mean all accounts and agents. ``range`` is the last hour, in steps of 10 s, or the last day, in steps of 5 min; with ``points`` neighbouring steps are joined until there are no more than so many. */
export type HistoryParams = { keys?: Array<string> | null; series?: Array<"cpu" | "errors" | "in" | "out" | "restarts" | "rss">; range?: "1h" | "24h"; points?: number | null };

/** The params of ``models.list``: each view is the same list here. */
export type ModelsListParams = { view?: "all" | "configured" | "default"; agentId?: string | null };

/** The params that name one node. */
export type NodeParams = { nodeId: string };

/** The params of ``node.event``. */
export type NodeEventParams = { event: string; payload?: unknown; payloadJSON?: string };

/** The params of ``node.invoke``; those about the conversation are accepted and ignored. */
export type InvokeParams = { nodeId: string; command: string; idempotencyKey: string; params?: unknown; timeoutMs?: number; sessionKey?: string | null; turnSourceChannel?: string | null; turnSourceTo?: string | null; turnSourceAccountId?: string | null; turnSourceThreadId?: string | number | null };

/** The params of ``node.invoke.result``: the payload as JSON, or as text that holds JSON. */
export type InvokeResultParams = { id: string; nodeId: string; ok: boolean; payload?: unknown; payloadJSON?: string; error?: NodeError };

/** The reason why a node could not carry out a command. */
export type NodeError = { code?: string; message?: string };

/** The params that name one request for approval. */
export type NodeRequestParams = { requestId: string };

/** The params that name one approved node. */
export type PairedNodeParams = { nodeId: string };

/** The params of ``node.pair.request``: what a node offers (Protocol 3). */
export type NodePairParams = { nodeId: string; displayName?: string | null; platform?: string | null; version?: string | null; coreVersion?: string | null; uiVersion?: string | null; deviceFamily?: string | null; modelIdentifier?: string | null; caps?: Array<string>; commands?: Array<string>; permissions?: Record<string, boolean>; remoteIp?: string | null; silent?: boolean };

/** The params of ``node.pair.verify``: a node's token from before devices had identities. */
export type VerifyParams = { nodeId: string; token: string };

/** The params of ``node.pluginSurface.refresh``; the only surface is ``canvas``. */
export type SurfaceParams = { surface: string };

/** The params of ``node.rename``: a node and the name that people see. */
export type RenameParams = { nodeId: string; displayName: string };

/** The params of ``poll``; ``is_anonymous`` is accepted and ignored: the platform decides. */
export type PollParams = { to: string; question: string; options: Array<string>; idempotencyKey: string; maxSelections?: number; durationSeconds?: number | null; durationHours?: number | null; silent?: boolean; isAnonymous?: boolean | null; threadId?: string | null; channel?: string | null; accountId?: string | null };

/** The params of the OpenClaw schema; those without a meaning here are accepted and ignored. */
export type SendParams = { to: string; idempotencyKey: string; message?: string; mediaUrl?: string | null; mediaUrls?: Array<string>; channel?: string | null; accountId?: string | null; replyToId?: string | null; threadId?: string | null; agentId?: string | null; sessionKey?: string | null; gifPlayback?: boolean; forceDocument?: boolean; silent?: boolean; asVoice?: boolean; parseMode?: string | null; buffer?: string | null; filename?: string | null; contentType?: string | null; markup?: "markdown" | "plain"; timeoutMs?: number | null; queue?: boolean };

/** The params of ``sessions.abort``; without ``run_id`` all runs are meant. */
export type SessionsAbortParams = { key: string; agentId?: string | null; clearQueued?: boolean | null; runId?: string | null };

/** The params of ``sessions.compact``: with ``max_lines`` so many entries are kept. */
export type SessionsCompactParams = { key: string; agentId?: string | null; maxLines?: number | null };

/** The params of ``sessions.create``; without a key the session has one of its own. The last three are accepted and ignored: a session here has no parent. */
export type SessionsCreateParams = { key?: string | null; agentId?: string | null; label?: string | null; model?: string | null; message?: string | null; parentSessionKey?: string | null; succeedsParent?: boolean | null; emitCommandHooks?: boolean | null };

/** The params of ``sessions.delete``. Where ``expected_session_id`` is not the session's any more, or ``archived_only`` and it is not archived, nothing is deleted. */
export type SessionsDeleteParams = { key: string; agentId?: string | null; deleteTranscript?: boolean; expectedSessionId?: string | null; archivedOnly?: boolean; emitLifecycleHooks?: boolean | null };

/** The params of ``sessions.describe``. */
export type SessionsDescribeParams = { key: string; agentId?: string | null; includeDerivedTitles?: boolean; includeLastMessage?: boolean };

/** The params of ``sessions.get``. */
export type SessionsGetParams = { key: string; agentId?: string | null; limit?: number };

/** The params of ``sessions.list``; those without a meaning here are accepted and ignored. */
export type SessionsListParams = { limit?: number; offset?: number; activeMinutes?: number | null; label?: string | null; agentId?: string | null; search?: string; archived?: boolean | "all"; includeDerivedTitles?: boolean; includeLastMessage?: boolean; includeGlobal?: boolean | null; includeUnknown?: boolean | null; configuredAgentsOnly?: boolean | null; includePeople?: boolean | null; ownerFirst?: boolean | null; requireLastInteraction?: boolean | null; sortBy?: string | null; spawnedBy?: string | null };

/** One session by its key; a bare one is of the agent ``agent_id``. */
export type SessionKeyParams = { key: string; agentId?: string | null };

/** The params of ``sessions.patch``; ``null`` clears a field. Where ``expected_session_id`` is not the session's any more, nothing is changed. */
export type SessionsPatchParams = { key: string; agentId?: string | null; expectedSessionId?: string | null; label?: string | null; model?: string | null; thinkingLevel?: "adaptive" | "high" | "low" | "max" | "medium" | "minimal" | "off" | "ultra" | "xhigh" | null; fastMode?: boolean | "auto" | null; traceLevel?: string | null; verboseLevel?: string | null; reasoningLevel?: string | null; responseUsage?: string | null; elevatedLevel?: string | null; sendPolicy?: "allow" | "deny" | null; groupActivation?: "always" | "mention" | null; archived?: boolean; pinned?: boolean };

/** The params of ``sessions.preview``. */
export type SessionsPreviewParams = { keys: Array<string>; limit?: number; maxChars?: number };

/** The params of ``sessions.reset``. */
export type SessionsResetParams = { key: string; agentId?: string | null; reason?: "new" | "reset" };

/** The params of ``sessions.resolve``: one of key, id and label. */
export type SessionsResolveParams = { key?: string | null; sessionId?: string | null; label?: string | null; agentId?: string | null; allowMissing?: boolean };

/** The params of ``sessions.search``. */
export type SessionsSearchParams = { query: string; agentId?: string | null; sessionKeys?: Array<string> | null; limit?: number; resultMode?: "messages" | "sessions" };

/** The params of ``sessions.send``. */
export type SessionsSendParams = { key: string; agentId?: string | null; message: string; idempotencyKey?: string | null; thinking?: string | null; attachments?: Array<FileParams>; timeoutMs?: number | null };

/** The params of ``sessions.usage``; what concerns days is named in the answer's ``ignored``. */
export type SessionsUsageParams = { key?: string | null; agentId?: string | null; agentScope?: "all" | null; limit?: number; startDate?: string | null; endDate?: string | null; mode?: "gateway" | "specific" | "utc" | null; utcOffset?: string | null; range?: string | null; groupBy?: string | null; includeHistorical?: boolean | null; includeContextWeight?: boolean | null };

/** The params of ``set-heartbeats``. */
export type SetHeartbeatsParams = { enabled: boolean };

/** The params of ``system-event``: what a program announces about itself. */
export type SystemEventParams = { text: string; deviceId?: string; instanceId?: string; host?: string; ip?: string; mode?: string; version?: string; platform?: string; deviceFamily?: string; modelIdentifier?: string; lastInputSeconds?: number; reason?: string; roles?: Array<string>; scopes?: Array<string>; tags?: Array<string> };

/** The params of ``tools.catalog``. */
export type ToolsCatalogParams = { agentId?: string | null; includePlugins?: boolean | null };

/** The params of ``wake``: a text for an agent, at once or with its next turn. */
export type WakeParams = { mode: "next-heartbeat" | "now"; text: string; sessionKey?: string | null; agentId?: string | null };

/** OpenClaw's params; ``channel`` and ``account_id`` choose where several could be meant. ``force`` logs out first. ``verbose`` is accepted and ignored. */
export type WebLoginStartParams = { force?: boolean; timeoutMs?: number; verbose?: boolean; channel?: string | null; accountId?: string | null };

/** OpenClaw's params: with another QR code than ``current_qr_data_url`` it is answered. */
export type WebLoginWaitParams = { timeoutMs?: number; currentQrDataUrl?: string | null; channel?: string | null; accountId?: string | null };

export interface MethodParams {
  /** Ask an agent. There are two answers with the request's id: `accepted` once the run is stored, and one when it has ended. The same key and message during the run is answered with `in_flight` only, and after the end with the last answer again; another message is refused. With `deliver` the answer is also sent to the named chat. `ignored` (ours) names params without effect. */
  "agent": AgentParams;
  /** Answer with the name and the avatar of an agent. The agent is named by its id or the key of one of its sessions. An unknown one has OpenClaw's default names. */
  "agent.identity.get": AgentIdentityParams;
  /** Wait until a run has ended, for at most `timeoutMs` (30 s). `known` (ours) is false for an unknown run, for which OpenClaw answers as for a running one; `mergedInto` (ours) is the run whose answer also answers this one. */
  "agent.wait": AgentWaitParams;
  /** Attach this client for an agent of kind `client`: the events `agent.turn` follow. One program at a time is attached; `takeover` replaces it, and it gets `agent.detached`. `turns` lists the turns that the program still has; the answer says after which number each continues, and which have ended. */
  "agents.attach": AttachParams;
  /** Detach this client from an agent permanently: its turns are lost with it. */
  "agents.detach": DetachParams;
  /** Answer with the agents. `kind`, `phase`, `cause`, `incarnation` and `health` are ours; an agent without a phase has no process. */
  "agents.list": NoParams;
  /** End a turn, with the number after its last event; answers once that is stored. */
  "agents.turn.end": TurnEndParams;
  /** Accept events of a turn, numbered from 1; answers once they are stored. At most 64 KiB of a turn may be unanswered. `over`: the turn has ended, send nothing more of it. */
  "agents.turn.events": TurnEventsParams;
  /** Answer with what waits for a person. `deadLetters` are counted by state (the first thousand), `pairing` counts requests of strangers, and `closed` has the accounts with a list that admits nobody, and how many messages that has left unanswered in the last 24 hours: 0 for one that answers nobody at all and has got none. */
  "attention": NoParams;
  /** Answer with what operators have changed, the newest last. Each has `at`, `text` and `by`, the author and the place; `by` is null for an edit of the configuration's file. What came again and again has `times` and `first`, as in `channels.events`. */
  "changes.list": ChangesParams;
  /** Answer with the access policy of each account. It has the lists, where they are configured (`sources`), which of them admit nobody (`closed`), and how many messages were not answered in the last 24 hours, by reason (`dropped`), or since the start of this gateway. */
  "channels.access": AccessParams;
  /** Explain the state of an account and what happens next. */
  "channels.describe": AccountParams;
  /** Stop accounts once their messages in flight are done. Inbound ones are acknowledged then, and outbound ones sent; `drained` shows for each account whether that was in time. */
  "channels.drain": DrainParams;
  /** Answer with the history of an account: its phases, causes and incarnations. What came again and again is five events, of which the oldest has the number of all before it (`times`) and the time of the `first`. */
  "channels.events": AccountParams;
  /** Answer with the current manual stops. */
  "channels.holds": NoParams;
  /** Follow the login of an account: its question (`prompt`), whether it is `linked`. Answers when that differs from `seen`, the last `mark`, after `timeoutMs` at the latest. */
  "channels.login": LoginParams;
  /** Answer a question of an account's login, by the prompt's id. The answer is not logged. */
  "channels.login.answer": LoginAnswerParams;
  /** Log an account out of its platform; it stays stopped until it is started. */
  "channels.logout": ChannelTargetParams;
  /** Answer with the last log lines of accounts, or of every process. */
  "channels.logs": LinesParams;
  /** Admit the person who made a request. `code` and `unverified` are ours. With `bootstrapCommandOwner`, which needs `operator.admin`, the person is the first owner. */
  "channels.pairing.approve": PairingApproveParams;
  /** Never answer a person again, in direct chats and in groups, whoever else is admitted. */
  "channels.pairing.block": PersonParams;
  /** Drop a request; the person may ask again. */
  "channels.pairing.dismiss": PairingDismissParams;
  /** Answer with the pending requests of strangers. `people` (ours) lists whom the owner has approved or blocked. */
  "channels.pairing.list": PairingListParams;
  /** Remove the decision about a person, blocked or approved: the person may request again. */
  "channels.pairing.unblock": PersonParams;
  /** Clear the failures of accounts, so that their next backoff is the shortest. */
  "channels.reset": AccountsParams;
  /** Replace the account's process. ``incarnation`` is the one that ends. */
  "channels.restart": ChannelTargetParams;
  /** Start an account at once, even in a backoff, and release its hold. */
  "channels.start": ChannelTargetParams;
  /** Start every account of which it is unknown whether a person had stopped it. The holds were damaged (cause `hold_unknown`). */
  "channels.start.unknown": NoParams;
  /** Answer with a summary and all accounts of each channel. */
  "channels.status": ChannelsStatusParams;
  /** Stop an account and hold it stopped, also over restarts. `persisted` (ours) is false if the hold could not be saved. */
  "channels.stop": ChannelTargetParams;
  /** Answer with what happens to a message of a sender, and by which line of the configuration. */
  "channels.why": WhyParams;
  /** End a run of a session, or all of them. The events of their ends come before the answer. */
  "chat.abort": ChatAbortParams;
  /** Answer with the newest entries of a session's transcript, and with waiting messages. An unknown session is empty. */
  "chat.history": ChatHistoryParams;
  /** Add a message to a session's transcript as a message of its agent, without asking it. */
  "chat.inject": ChatInjectParams;
  /** Answer with one message of a session's transcript by its id. */
  "chat.message.get": ChatMessageGetParams;
  /** Answer with models and commands, as `models.list` and `commands.list` do. */
  "chat.metadata": ChatMetadataParams;
  /** Send a message to a session; the answer comes as events `chat` and `agent`. The same key and text is answered with `in_flight` or `ok`, another text is refused. `deliver` also sends the agent's answer to the named chat, or to the one in which the session was last used. The queue mode `steer` has the effect of followup, as `note` says, whoever has set it. The gateway executes commands. A file is base64 in `content`, or (ours) a stored one: `url: "media:<id>"` and the key of its `account`. */
  "chat.send": ChatSendParams;
  /** Answer as `chat.history` does, for a client that shows a session for the first time. */
  "chat.startup": ChatHistoryParams;
  /** Answer with the commands that the gateway executes; others go to the agent as text. */
  "commands.list": CommandsListParams;
  /** Write the whole text as `config.set` does; either way it is applied at once. */
  "config.apply": ApplyParams;
  /** Answer with the text and the values of the configuration file. Comments and secrets are replaced by `__OPENCLAW_REDACTED__`; `hash` is what a write must name. */
  "config.get": NoParams;
  /** Apply a merge patch to the text; everything else stays as written, including comments. */
  "config.patch": PatchParams;
  /** Answer with the JSON Schema of the configuration, installed channels included. */
  "config.schema": NoParams;
  /** Answer with the schema at one path, such as `channels.irc.accounts.*`, and its keys. */
  "config.schema.lookup": PlaceParams;
  /** Write the whole text, unless the file has changed since; redacted values are kept. */
  "config.set": WriteParams;
  /** Answer with what `config.set` would change, or with `patch` what `config.patch` would. It names the accounts and agents `added`, `removed` and `changed`, and whether the `gateway` does `nothing`, would `restart` or `move`. `doubts` are secrets of these accounts whose format is wrong (`path`, `message`). A text that those would refuse is refused; nothing is written. */
  "config.validate": ValidateParams;
  /** Create a scheduled job; answer with it. `main` jobs inform the main session of an agent, others give the agent a turn. `catchUp` (ours): whether a missed time is made up for. `ignored` (ours) names fields of its payload that are kept and have no effect. */
  "cron.add": NewJob;
  /** Answer with one scheduled job. */
  "cron.get": CronJobParams;
  /** Answer with scheduled jobs, and where the answer of each is sent. */
  "cron.list": CronListParams;
  /** Remove a scheduled job; a current run of it ends. */
  "cron.remove": CronJobParams;
  /** Run a scheduled job now. Its run has begun, and is stored, when this is answered; its planned time does not change. */
  "cron.run": CronRunParams;
  /** Answer with the runs of a job, or of all, and their outcomes; the newest first. */
  "cron.runs": CronRunsParams;
  /** Answer with the number of jobs, and when the next one is due. */
  "cron.status": NoParams;
  /** Change a scheduled job; answer with it. */
  "cron.update": CronUpdateParams;
  /** Discard a dead letter. */
  "deadletters.discard": LetterParams;
  /** Answer with the dead letters and the outcome of their last attempt. `text` is the beginning of each, at most 200 characters. */
  "deadletters.list": LettersParams;
  /** Send a dead letter, from its first part that was not sent. It waits for its account for a day. One that may have been sent may be sent twice. */
  "deadletters.retry": LetterParams;
  /** Answer with a dead letter, its text and its sent parts. */
  "deadletters.show": LetterParams;
  /** Approve a device with the role and scopes that it requested. The approver must have them, too. */
  "device.pair.approve": DeviceRequestParams;
  /** Answer with the devices that wait for approval and the paired ones. */
  "device.pair.list": NoParams;
  /** Reject a device's pairing request; the device may ask again. */
  "device.pair.reject": DeviceRequestParams;
  /** Remove a device and its tokens, and close its connections. */
  "device.pair.remove": DeviceParams;
  /** Name a paired device: `operatorLabel` in the list. */
  "device.pair.rename": LabelParams;
  /** Revoke a token, and close the device's connections of that role. */
  "device.token.revoke": RevokeParams;
  /** Replace a token. Only its device gets the new one; otherwise the device must pair again. */
  "device.token.rotate": RotateParams;
  /** Answer with recent faults: refused clients, accounts that failed, messages not sent. What comes again within an hour is one event, with a new `seq`, `times`, and the time of the `first`. */
  "diagnostics.stability": StabilityParams;
  /** Subscribe to our events, replacing earlier subscriptions. Events after `cursors` are sent first. `gaps` names the accounts of which more is missing, as does the event `channel.gap`. The answer's `cursors` are where the following events begin: send them with the next subscription if nothing newer was received. With `runs` the events `agent` and `chat` are sent for those sessions only, or not at all (`false`). With `figures` (`true`, `{everyMs}`) the event `channel.figures` is sent at once and then every 5 s, or as often as requested; with `health: false` the event `health` is not sent. */
  "events.subscribe": SubscribeParams;
  /** Answer with the connected clients, including command lines. Each has the time since it connected (`ageMs`), its requests, and how many bytes it has not read yet (`unread`). */
  "gateway.clients": NoParams;
  /** Answer with the gateway's own device identity, which is made at the first request. */
  "gateway.identity.get": NoParams;
  /** Restart the gateway at once; `gateway.restart.request` does it in a moment. */
  "gateway.restart": NoParams;
  /** Restart the gateway in a moment; pending calls are finished and none is refused. */
  "gateway.restart.request": DeferrableRestartParams;
  /** Answer with the state of all accounts, as the event `health` has it. */
  "health": unknown;
  /** Answer with the outcome of the newest heartbeat of this gateway process, or null. */
  "last-heartbeat": NoParams;
  /** Send a message to an account of the channel `local` as a person of that name. It is as if the person used `trunkline chat` on the host, and stays until an hour after the last message; messages and answers come as the event `channel.message`. */
  "local.say": LocalSayParams;
  /** Answer with log lines, each a JSON object as text, and the `cursor` to continue from. */
  "logs.tail": TailParams;
  /** Answer with paths (`/media/…?t=…`) of files of an account's messages, which can be requested from the gateway's port for five minutes without a secret. */
  "media.ticket": MediaTicketParams;
  /** Carry out an action of the channel (`can` in `channels.status`), once per key. The actions send, edit, delete, react, read, type, or request history, chat or members. Unknown params are refused. With `sessionKey` a sent message is added to that session's transcript. `read` without a message is `history`; `poll` takes `pollQuestion`, `pollOption` and `pollMulti`. */
  "message.action": MessageActionParams;
  /** Erase a person from the journal. Erased are the person's messages, the direct chats, messages to be sent there, the transcripts of both with their runs, stored files and the approval. Answers in numbers; `underWay` counts sends that are left to end, and `copies` those of the journal that still contain everything. Ids by which messages and runs are recognized stay. */
  "messages.forget": ForgetParams;
  /** Answer with the outcomes so far of messages that a client shows, in order. Each has `outcome`, `text` (why), `runId` and `agentId` of the run. Of messages in: `waiting` (for the agent), `running`, `sending` (the answer), `answered`, `silent` (no answer), `dropped`, `aborted`, `none` (no run is known). Of messages out: `sending`, `sent`. Of both: `failed`, `unknown` (perhaps sent). */
  "messages.outcomes": OutcomesParams;
  /** Answer with the newest messages in and out that the gateway has in memory. The newest is first; each has the form of the event `channel.message`. With large texts there are fewer than `limit`; `more` is whether there may be older ones. */
  "messages.recent": RecentParams;
  /** Answer with what has happened to a message. `message` is as it arrived; `admission`, `run`, the run `askedIn` if it was combined with others, and `outbox`, the delivery of the answer, follow. `traceId` is the id of its trace, if traces are exported. The message is named by its event's `cursor`, its platform's `messageId`, or its `runId`. */
  "messages.trace": TraceParams;
  /** Answer with past metrics of the accounts. `series` has for each name lists of values, in the order of `keys`, the first for the `stepMs` milliseconds after `from`, `null` if unknown. `in`, `out`, `errors` (dropped, without repetitions) and `restarts` count what happened within a step; `rss` (KiB) and `cpu` (percent of a core) are averages. */
  "metrics.history": HistoryParams;
  /** Answer with the models that agents use; an agent without a named model is a model itself. `agents` (ours) are those that use it. */
  "models.list": ModelsListParams;
  /** Answer with one node that is connected or approved. */
  "node.describe": NodeParams;
  /** Accept an event of a node: it records a sign of life; other events have no meaning yet. */
  "node.event": NodeEventParams;
  /** Execute a command on a node, once per key (300 s), and return its answer. */
  "node.invoke": InvokeParams;
  /** Accept the answer of a node; an answer that is too late is ignored. */
  "node.invoke.result": InvokeResultParams;
  /** Answer with every node that is connected or approved. */
  "node.list": NoParams;
  /** Approve the commands that a node offers. */
  "node.pair.approve": NodeRequestParams;
  /** Answer with the nodes that wait for approval and those that are approved. */
  "node.pair.list": NoParams;
  /** Reject the commands that a node offers; it stays connected without them. */
  "node.pair.reject": NodeRequestParams;
  /** Remove a node and its device's role as a node, and close its connection. */
  "node.pair.remove": PairedNodeParams;
  /** Request the approval of a node; repeating it returns the same request. */
  "node.pair.request": NodePairParams;
  /** Answer that no node token is valid: nodes authenticate as devices. */
  "node.pair.verify": VerifyParams;
  /** Answer with the address of the canvas host for another hour, in the form of the hello. */
  "node.pluginSurface.refresh": SurfaceParams;
  /** Name an approved node. */
  "node.rename": RenameParams;
  /** Send a poll to a chat, if the channel can; once per key, as `send`. More than one selection means any number of the options. */
  "poll": PollParams;
  /** Read every secret again. Accounts whose secret has changed are replaced (`restarted`, ours); an unreadable one is a warning (`warnings`, ours). */
  "secrets.reload": NoParams;
  /** Send a message once per key. With a journal (`docs/journal.md`) a key is known for seven days, over restarts of everything, and the message waits for an account that is starting for at most `timeoutMs` (30 s), after which it is not sent; with `queue` (ours) the answer is `{status: "queued", outboxId}` at once. Without a journal the worker knows keys for 300 s. With `sessionKey` the text is also added to that session's transcript (`ignored` names one of an unknown agent). */
  "send": SendParams;
  /** End a run of a session, or all of them; `abortedRunId` is the first one. */
  "sessions.abort": SessionsAbortParams;
  /** Shorten what the agent is given of a session. It gets only the newest `maxLines` entries, or its own summary instead of the older ones. The transcript stays complete. */
  "sessions.compact": SessionsCompactParams;
  /** Create a session, or answer with the existing one under the key. `message` is sent to it, once, under a key of the session's own. */
  "sessions.create": SessionsCreateParams;
  /** Delete a session with its transcript, which is not kept elsewhere; its runs are ended. Without `archivedOnly` that needs `operator.admin`. */
  "sessions.delete": SessionsDeleteParams;
  /** Answer with the row of a session, `null` for an unknown one. */
  "sessions.describe": SessionsDescribeParams;
  /** Answer with the newest entries of a session's transcript. */
  "sessions.get": SessionsGetParams;
  /** Answer with sessions, the most recently changed first. */
  "sessions.list": SessionsListParams;
  /** Send this client `session.message` of one session from now on. */
  "sessions.messages.subscribe": SessionKeyParams;
  /** Stop sending this client `session.message` of one session. */
  "sessions.messages.unsubscribe": SessionKeyParams;
  /** Change a session, which is created if it does not exist. `null` clears a field. `model` and `thinkingLevel` are used in its turns if the agent's kind supports them; `ignored` (ours) names fields that are kept and have no effect. Fields other than label, model, thinking, `fastMode`, `archived` and `pinned` need `operator.admin`. */
  "sessions.patch": SessionsPatchParams;
  /** Answer with the last messages of some sessions. */
  "sessions.preview": SessionsPreviewParams;
  /** Start a session anew: label and settings stay, its runs are ended. */
  "sessions.reset": SessionsResetParams;
  /** Answer with the key of a session that is named by key, id or label. */
  "sessions.resolve": SessionsResolveParams;
  /** Answer with the newest messages that contain a word beginning with each word of `query`. Case and accents do not matter. `resultMode: "sessions"` lists each session once. */
  "sessions.search": SessionsSearchParams;
  /** Send a message to an existing session, as `chat.send` does. */
  "sessions.send": SessionsSendParams;
  /** Send this client `sessions.changed` and `session.message` of all sessions from now on. */
  "sessions.subscribe": NoParams;
  /** Answer with the tokens that sessions have used since their last reset, and their sums. There are no values by day and no costs: `ignored` (ours) names such params. */
  "sessions.usage": SessionsUsageParams;
  /** Switch heartbeats on or off, also over restarts. While they are off an event waits for the next turn. */
  "set-heartbeats": SetHeartbeatsParams;
  /** Stop accounts, gateway and supervisor. */
  "shutdown": NoParams;
  /** Answer with the version and a line per account, and (ours) with all rows and counts. Those are every row of the accounts, what the gateway itself has dropped, by reason, how much waits in the outbox, what agents do, how requests to the HTTP API, to hooks and to the canvas host have ended, and what was refused: HTTP requests by status, those to accounts by reason, handshakes by kind, requests of clients. */
  "status": unknown;
  /** Answer with the warnings that `trunkline status` shows. Examples are a full disk, an invalid configuration, many accounts that crashed together. */
  "supervisor.warnings": NoParams;
  /** Add or renew a row of the presence, which is broadcast within a second. */
  "system-event": SystemEventParams;
  /** Answer with the presence rows, the gateway's own first. */
  "system-presence": NoParams;
  /** Answer with the tools that the gateway gives an agent: none; agents bring their own. */
  "tools.catalog": ToolsCatalogParams;
  /** Inform an agent of an event, in its main session or another one. `now` gives it a turn at once; with `next-heartbeat` its next turn, whatever begins it, contains the event. */
  "wake": WakeParams;
  /** Begin the login of an account, and answer with its QR code once it exists. */
  "web.login.start": WebLoginStartParams;
  /** Wait until the login is done, or another QR code is to be shown. */
  "web.login.wait": WebLoginWaitParams;
}
