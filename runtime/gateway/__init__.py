"""Serves clients by WebSocket and HTTP on one port, and workers by the data link.

Imports nothing of the supervisor. The path of every message goes through ``clients.client``
(requests), ``accounts.data_link`` (messages of accounts) and ``accounts.fanout`` (events to
clients); everything else stands beside it.
"""
