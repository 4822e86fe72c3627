"""What the hub keeps: models, their metrics, their checkpoints, keys."""

from hub_callbacks.server.store.errors import BadCursorError, IdTakenError, NotFoundError, StoreError
from hub_callbacks.server.store.store import Store, open_store

__all__ = ["BadCursorError", "IdTakenError", "NotFoundError", "Store", "StoreError", "open_store"]
