"""The gateway: WebSocket control plane and HTTP on one port, the data link of the workers.

Imports nothing of the supervisor. What happens for every message is in ``client`` (requests),
``workers`` (what accounts say) and ``fanout`` (events to clients); everything else stands
beside that path.
"""
