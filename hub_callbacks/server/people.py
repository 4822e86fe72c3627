"""Bodies about people: users, their keys, whom a project is shared with, and what was done by whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from hub_callbacks.server.bodies import ModelId, Reply, Unix
from hub_callbacks.server.store.rows import Role

Name = Annotated[str, Field(max_length=256)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$")]
Password = Annotated[str, Field(min_length=10, max_length=1024)]
_OWN = {"name", "email", "role", "password"}


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class UserBody(_Body):
    """A user, or a part of one. Names other than these go into the user's document, object by object."""

    model_config = ConfigDict(extra="allow")

    name: Name | None = None
    email: Email | None = None
    role: Role | None = None
    password: Password | None = None

    def changes(self) -> dict[str, Any]:
        """What to change of the user, for the store."""
        given = self.model_dump(exclude_unset=True)
        own = {name: value for name, value in given.items() if name in _OWN and (value is not None or name != "role")}
        if own.get("name", "") is None:
            own["name"] = ""
        document = {name: value for name, value in given.items() if name not in _OWN}
        return own | ({"document": document} if document else {})


class UserShown(_Body):
    """A user. The e-mail address, and whether there is a password, are for themselves and for admins."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    role: Role
    created_at: float
    email: str | None = None
    has_password: bool | None = None


class UserListing(_Body):
    """One page of users, newest first."""

    results: list[UserShown]
    total: int


class KeyBody(_Body):
    """A new key, with less than what its user may do where it says so.

    Attributes:
        role: What it may do at most.
        project_id: The only project that it is good for.
        expires_at: From when on it is no good.
        user_id: Whose it is, the caller's own when left out; others' are for admins.
    """

    name: Name = ""
    role: Role | None = None
    project_id: ModelId | None = None
    expires_at: Unix | None = None
    user_id: ModelId | None = None


class KeyShown(_Body):
    """A key, but for the key itself, which nobody can read again."""

    id: str
    user_id: str
    name: str
    role: Role
    project_id: str | None
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    revoked_at: float | None


class NewKey(KeyShown):
    """A key that was just made: the only time that it is shown."""

    key: str


class MemberBody(_Body):
    """What a user may do in a project that is shared with them."""

    role: Literal["trainer", "viewer"]


class MemberShown(_Body):
    """A user whom a project is shared with."""

    user_id: str
    name: str
    role: Role


class EventShown(_Body):
    """One line of the audit log: who did what to what, when, from where."""

    seq: int
    at: float
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: str


class EventListing(_Body):
    """One page of the audit log, newest first; ``lastRecordId`` is the cursor of the next page, null on the last."""

    results: list[EventShown]
    last_record_id: str | None


class EmailBody(_Body):
    """Who signs in. Google's Identity Toolkit takes the same two, and more that is of no meaning here."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024)]


class IdToken(_Body):
    """A bearer token."""

    id_token: str


class EmailReply(Reply[IdToken]):
    """The token also stands where the Identity Toolkit has it, for that is where hub-sdk reads it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id_token: str
