"""Why the store refuses; the routes turn each into its status."""

from __future__ import annotations

from hub_callbacks.errors import HubCallbacksError


class StoreError(HubCallbacksError):
    """The store refuses what was asked of it."""


class NotFoundError(StoreError):
    """There is no such model."""

    def __init__(self, model_id: str) -> None:
        super().__init__(f"There is no model {model_id!r}.")


class UploadGoneError(StoreError):
    """The upload is no longer there."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"The upload {upload_id!r} was deleted, with its model or by a reset.")


class IdTakenError(StoreError):
    """The proposed id belongs to another user's model, or to a deleted one."""

    def __init__(self, model_id: str) -> None:
        super().__init__(f"The id {model_id!r} is taken. Leave it out, or propose another.")


class BadCursorError(StoreError):
    """The cursor is none that a page of this hub gave out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"{cursor!r} is no cursor of this hub. Pass the lastRecordId of the page before.")


class UnreachableStoreError(StoreError):
    """The database cannot be opened: the message says why, without its password."""


class NewerStoreError(StoreError):
    """A later release has changed the tables; this one would not know what it reads."""

    def __init__(self) -> None:
        super().__init__("A later release of hub-callbacks has used this database. Run that one, or a later one.")
