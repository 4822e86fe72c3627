"""The hub's endpoints about people, a method each: users, their keys, whom projects are shared with, the audit log."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hub_callbacks import wire
from hub_callbacks.transport.api import HubApi

Shown = dict[str, Any]


class PeopleApi(HubApi):
    """One hub, as its admins and its users see each other. It raises as `HubApi` does."""

    def create_user(self, **said: Any) -> str:
        """Create a user; their id."""
        return str(self._request("POST", wire.USERS, json=said, read=_id))

    def users(self) -> list[Shown]:
        """Everyone who can come in, newest first, up to a thousand."""
        found: list[Shown] = self._request("GET", wire.USERS, params={"limit": 1000}, read=lambda data: data["results"])
        return found

    def user(self, user: str) -> Shown:
        """The user of that id or e-mail address."""
        return dict(self._request("GET", wire.user(quote(user, safe="@")), read=dict))

    def change_user(self, user_id: str, **changes: Any) -> None:
        """Change what is said of a user."""
        self._request("PATCH", wire.user(user_id), json=changes)

    def delete_user(self, user_id: str) -> None:
        """Let a user in no more."""
        self._request("DELETE", wire.user(user_id))

    def create_key(self, **limits: Any) -> Shown:
        """Make a key; ``key`` of it is shown this once."""
        return dict(self._request("POST", wire.KEYS, json=limits, read=dict))

    def keys(self, *, everyone: bool = False) -> list[Shown]:
        """The caller's keys, or everyone's, oldest first."""
        found: list[Shown] = self._request("GET", wire.KEYS, params={"everyone": str(everyone).lower()}, read=list)
        return found

    def revoke_key(self, key_id: str) -> None:
        """Make a key no good."""
        self._request("DELETE", wire.key(quote(key_id, safe="")))

    def create_project(self, name: str) -> str:
        """Make a project; its id."""
        return str(self._request("POST", wire.PROJECTS, json={"meta": {"name": name}}, read=_id))

    def projects(self) -> list[Shown]:
        """The projects that the caller may see, newest first, up to a thousand."""
        asked = {"limit": 1000}
        found: list[Shown] = self._request("GET", wire.PROJECTS, params=asked, read=lambda data: data["results"])
        return found

    def members(self, project_id: str) -> list[Shown]:
        """Whom a project is shared with, by name."""
        found: list[Shown] = self._request("GET", wire.members(project_id), read=list)
        return found

    def share(self, project_id: str, user: str, *, role: str) -> None:
        """Share a project with the user of that id or e-mail address."""
        self._request("PUT", f"{wire.members(project_id)}/{quote(user, safe='@')}", json={"role": role})

    def unshare(self, project_id: str, user: str) -> None:
        """Share it with them no more."""
        self._request("DELETE", f"{wire.members(project_id)}/{quote(user, safe='@')}")

    def events(self, *, limit: int) -> list[Shown]:
        """The newest lines of the audit log, newest first, up to a thousand."""
        found: list[Shown] = self._request(
            "GET", wire.AUDIT, params={"limit": limit}, read=lambda data: data["results"]
        )
        return found


def _id(data: Any) -> str:
    return str(data["id"])
