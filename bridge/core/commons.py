"""What the views that several users have of one room have in common. Pure state."""

from __future__ import annotations

from bridge.api import OccupantId


class Commons:
    """Of one room (by its JID) of one gateway.

    `shared`: more than one user is in it. `stays` has the ids of occupants of whom only the name is known,
    for as long as they stay: each view asks here first, and so all give out the same. `view` is the face's to
    use, as long as anybody is there.
    """

    __slots__ = ("__weakref__", "_present", "jid", "shared", "stays", "view")

    def __init__(self, jid: str) -> None:
        self.jid = jid
        self.shared = False
        self.stays: dict[OccupantId, str] = {}
        self.view: object = None
        self._present: set[str] = set()

    def enter(self, user: str) -> None:
        """A user's account is in the room."""
        self._present.add(user)
        self.shared = len(self._present) > 1

    def leave(self, user: str) -> None:
        """A user's account is out. With the last one goes all that nobody can watch any more."""
        self._present.discard(user)
        self.shared = len(self._present) > 1
        if not self._present:
            self.stays.clear()
            self.view = None

    def moved(self, old: OccupantId, new: OccupantId, known: str) -> None:
        """Somebody who was given the id `known` has another name."""
        if self.stays.get(old) == known:
            self.stays[new] = self.stays.pop(old)

    def gone(self, name: OccupantId, known: str | None) -> None:
        """Somebody went whom a view knew by this id (None: had not asked for one): whoever has that name next
        is another. A view that is behind does not take the id of one who has come since."""
        if known is None or self.stays.get(name) == known:
            self.stays.pop(name, None)
