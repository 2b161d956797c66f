"""Decides what an error of Slack means for the account. Pure.

Slack refuses by codes; https://docs.slack.dev/reference/methods lists those of each method.
"""

from __future__ import annotations

from workers.errors import (
    ChannelError,
    MaybeSent,
    Misconfigured,
    NeedsLogin,
    Reason,
    SendFailed,
    Transient,
)
from workers.web.faults import Unreachable

# The token is worth nothing any more, and no time changes that.
REVOKED = frozenset({"token_revoked", "account_inactive", "token_expired"})
NO_LOGIN = REVOKED | {
    "invalid_auth",
    "not_authed",
    "access_denied",
    "no_permission",
    "org_login_required",
    "ekm_access_denied",
    "team_access_not_granted",
    "two_factor_setup_required",
}
INSTALL_AGAIN = (
    "install the app again under OAuth & Permissions of its settings, and take the new token"
)
SWITCHED_OFF = (
    "Socket Mode is switched off (link_disabled): switch it on under Settings, Socket Mode of the"
    " app at https://api.slack.com/apps"
)
TOO_MANY = (
    "Slack takes ten connections of an app and has more (too_many_websockets): stop other programs"
    " that use its app-level token"
)

# Nobody can tell whether Slack has done these (so its documentation).
_PERHAPS = frozenset({"internal_error", "fatal_error"})
_DONE_ALREADY = frozenset({"already_reacted", "no_reaction"})
_REASONS: dict[str, Reason] = {
    "channel_not_found": "not_found",
    "user_not_found": "not_found",
    "users_not_found": "not_found",
    "message_not_found": "not_found",
    "thread_not_found": "not_found",
    "no_item_specified": "not_found",
    "file_not_found": "not_found",
    "not_in_channel": "forbidden",
    "is_archived": "forbidden",
    "missing_scope": "forbidden",
    "restricted_action": "forbidden",
    "restricted_action_read_only_channel": "forbidden",
    "restricted_action_thread_locked": "forbidden",
    "restricted_action_thread_only_channel": "forbidden",
    "restricted_action_non_threadable_channel": "forbidden",
    "cant_update_message": "forbidden",
    "cant_delete_message": "forbidden",
    "edit_window_closed": "forbidden",
    "too_many_reactions": "forbidden",
    "too_many_emoji": "forbidden",
    "not_reactable": "forbidden",
    "user_disabled": "blocked",
    "cannot_dm_bot": "blocked",
    "messages_tab_disabled": "blocked",
    "msg_too_long": "too_long",
    "text_too_long": "too_long",
    "msg_blocks_too_long": "too_long",
    "ratelimited": "rate_limited",
    "rate_limited": "rate_limited",
    "message_limit_exceeded": "rate_limited",
    "service_unavailable": "unavailable",
    "request_timeout": "unavailable",
    "team_added_to_org": "unavailable",
    "accesslimited": "unavailable",
}
_CURES = {
    "not_in_channel": "invite the app to the channel (/invite)",
    "is_archived": "the channel is archived",
    "messages_tab_disabled": "switch on the Messages Tab under App Home of the app",
    "not_allowed_token_type": "the token is of the wrong kind for this method",
}


class SlackRefusal(Exception):
    """Slack answered with an error; ``error`` is its code."""

    def __init__(
        self,
        method: str,
        error: str,
        needed: str = "",
        provided: str = "",
        *,
        retry_after: float | None = None,
    ) -> None:
        self.method = method
        self.error = error
        self.needed = needed
        self.provided = provided
        self.retry_after = retry_after
        super().__init__(f"Slack refuses {method}: {self._code()}")

    def _code(self) -> str:
        if self.error == "missing_scope":
            return f"the token lacks the scope {self.needed or 'that it needs'} (missing_scope)"
        cure = _CURES.get(self.error)
        return f"{self.error}: {cure}" if cure else self.error


def is_done(error: SlackRefusal) -> bool:
    """Return whether a reaction was already in the requested state."""
    return error.error in _DONE_ALREADY


def ends_account(error: Exception) -> bool:
    """Return whether a refusal means that no call of this token works any more."""
    return isinstance(error, SlackRefusal) and error.error in NO_LOGIN


def ending_of(error: Exception, field: str = "botToken") -> ChannelError:
    """Return the error that ends the account if an essential call fails.

    ``field`` is the configuration field of the token that the call used.
    """
    if not isinstance(error, SlackRefusal):
        return Transient(str(error))
    if error.error in NO_LOGIN:
        text = f"Slack refuses the {field}: {error.error}; {INSTALL_AGAIN}"
        if field == "appToken":
            text = (
                f"Slack refuses the {field}: {error.error}; make a new one under Basic Information,"
                " App-Level Tokens of the app"
            )
        return NeedsLogin(text, final=error.error in REVOKED)
    if error.error == "missing_scope":
        return Misconfigured(missing_scopes(field, [error.needed or "connections:write"]))
    if error.error == "not_allowed_token_type":
        return Misconfigured(f"{field}: {error}")
    return Transient(str(error), retry_after=error.retry_after)


def missing_scopes(field: str, scopes: list[str]) -> str:
    """Return what to do about scopes that the token of a field lacks."""
    named = ", ".join(scopes)
    if field == "appToken":
        return (
            f"the appToken lacks the scope {named}: make a new one with it under Basic"
            " Information, App-Level Tokens of the app"
        )
    return (
        f"the botToken lacks the scope {named}: add it under OAuth & Permissions of the app, and"
        " install the app again"
    )


def failure_of(error: Exception) -> SendFailed:
    """Return the error for an action that failed, or whose outcome is unknown."""
    if isinstance(error, Unreachable):
        return SendFailed(str(error), reason="unavailable")
    if not isinstance(error, SlackRefusal) or error.error in _PERHAPS:
        return MaybeSent(str(error))
    if error.error in NO_LOGIN:  # the account ends by it, and says what to do
        return SendFailed(str(error), reason="unavailable")
    # A limit counts for the method in the whole workspace, not in one channel.
    return SendFailed(
        str(error),
        reason=_REASONS.get(error.error, "invalid"),
        retry_after=error.retry_after,
        scope="account",
    )
