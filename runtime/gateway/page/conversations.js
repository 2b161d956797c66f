// Describes a conversation: its heading, and who reads what is written to it. Pure.

/** Return the heading of a conversation, of a row of `sessions.list`: `ada at local:amber, agent echo`. */
export function titleOf({ agentId, channel, lastAccountId, lastTo, label, derivedTitle }) {
  if (lastAccountId) return `${lastTo} at ${channel}:${lastAccountId}, agent ${agentId}`;
  return `${label || derivedTitle || "A conversation of this console or another client"}, agent ${agentId}`;
}

/** Return who reads what is sent: the agent does, and whoever is in the chat sees nothing of it. */
export function readerOf(session) {
  if (!session?.lastAccountId) return "To the agent.";
  return `To the agent; ${session.lastTo} does not see it, nor the answer.`;
}
