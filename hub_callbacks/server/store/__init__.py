"""What the hub keeps: models, their metrics, their checkpoints, keys."""

from hub_callbacks.server.store.errors import (
    BadCursorError,
    IdTakenError,
    LastAdminError,
    NameTakenError,
    NewerStoreError,
    NotEmptyError,
    NotFoundError,
    StoreError,
    SupersededError,
    TooManyArtifactsError,
    TooManyUploadsError,
    UnreachableStoreError,
    UploadGoneError,
)
from hub_callbacks.server.store.store import Store, open_store

__all__ = [
    "BadCursorError",
    "IdTakenError",
    "LastAdminError",
    "NameTakenError",
    "NewerStoreError",
    "NotEmptyError",
    "NotFoundError",
    "Store",
    "StoreError",
    "SupersededError",
    "TooManyArtifactsError",
    "TooManyUploadsError",
    "UnreachableStoreError",
    "UploadGoneError",
    "open_store",
]
