"""Why the store refuses; the routes turn each into its status."""

from __future__ import annotations

from hub_callbacks.errors import HubCallbacksError


class StoreError(HubCallbacksError):
    """The store refuses what was asked of it."""


_NOUNS = {"models": "model", "datasets": "data set", "projects": "project", "users": "user", "keys": "key"}


class NotFoundError(StoreError):
    """There is no such thing, or none that the caller may know of."""

    def __init__(self, thing_id: str, collection: str = "models") -> None:
        super().__init__(f"There is no {_NOUNS[collection]} {thing_id!r}.")


class NotEmptyError(StoreError):
    """The project still holds models or data sets."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"The project {project_id!r} still holds models or data sets. Move or delete them first.")


class NameTakenError(StoreError):
    """Another user has the e-mail address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"Another user has the e-mail address {email!r}.")


class LastAdminError(StoreError):
    """Nobody else could let others in."""

    def __init__(self) -> None:
        super().__init__("This is the hub's last admin. Make another one first.")


class UploadGoneError(StoreError):
    """The upload is no longer there."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"The upload {upload_id!r} was deleted, with its model or by a reset.")


class TooManyArtifactsError(StoreError):
    """The model has as many artifacts as a model may have."""

    def __init__(self, at_most: int) -> None:
        super().__init__(f"The model has {at_most} artifacts, which is as many as one may have.")


class SupersededError(StoreError):
    """A later training of the run has trained these epochs anew, or the run was reset since."""

    def __init__(self, model_id: str, first_epoch: int | None) -> None:
        super().__init__(
            f"The model {model_id!r} was reset: what was trained of it before no longer holds."
            if first_epoch is None
            else f"A later training of {model_id!r} began at epoch {first_epoch + 1}: its epochs hold."
        )


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


class TooManyUploadsError(StoreError):
    """The key has as many uploads in progress as it may."""

    def __init__(self) -> None:
        super().__init__("The key has as many uploads in progress as it may. Let one end first.")
