"""Maps the routing ids of a bound socket to peers. Pure.

The ids of the last incarnations of a key are kept, because data of an ended one may still be
unread. They are forgotten with their account, so that ever new keys are not a leak.
"""

from __future__ import annotations

from collections import deque

from ipc.identity.peer import PeerCredentials, parse_peer

INCARNATIONS = 8  # of one key whose ids are known: the last ones may still be unread


class RoutingIds:
    """The authenticated peers; the length is the number of their keys.

    ``names`` are the public names by routing id, ``ids`` the routing ids by public name.
    """

    def __init__(self) -> None:
        self.names: dict[bytes, bytes] = {}
        self.ids: dict[bytes, bytes] = {}
        self._of_key: dict[str, deque[bytes]] = {}  # names, oldest first

    def __len__(self) -> int:
        return len(self._of_key)

    def add(self, peer: PeerCredentials) -> None:
        """Add the routing id of an authenticated peer."""
        name, routing_id = peer.name.encode(), peer.routing_id
        if name in self.ids:
            return
        self.names[routing_id], self.ids[name] = name, routing_id
        of_key = self._of_key.setdefault(parse_peer(name)[0], deque())
        of_key.append(name)
        if len(of_key) > INCARNATIONS:
            del self.names[self.ids.pop(of_key.popleft())]

    def forget(self, key: str, last: int) -> None:
        """Drop the incarnations of a key up to ``last``, because its account was removed.

        An account that was added again has higher numbers, which stay.
        """
        left: deque[bytes] = deque()
        for name in self._of_key.pop(key, ()):
            if parse_peer(name)[1] > last:
                left.append(name)
            else:
                del self.names[self.ids.pop(name)]
        if left:
            self._of_key[key] = left
