"""What a caller may do with a thing, given whose it is and which project it is in.

`hub_callbacks.server.store.access.visible` says the same of the rows of a list.
"""

from __future__ import annotations

from hub_callbacks.server.store.rows import Caller, Place


def may_read(caller: Caller | None, place: Place) -> bool:
    """Whether the caller may read the thing; None is anyone, with no key.

    What is in no project is the whole team's. What is in one is for those that it was shared with.
    """
    if place.is_public:
        return True
    if caller is None:
        return False
    if caller.project_id is not None:
        return place.project_id == caller.project_id
    if caller.role == "admin" or place.project_id is None:
        return True
    return caller.user_id in {place.owner, place.project_owner} or place.member is not None


def may_change(caller: Caller, place: Place) -> bool:
    """Whether the caller may change the thing: as its owner, as a trainer of its project, or as an admin."""
    if caller.role == "viewer" or (caller.project_id is not None and place.project_id != caller.project_id):
        return False
    if caller.role == "admin" or caller.user_id in {place.owner, place.project_owner}:
        return True
    return place.member == "trainer"
