"""A hub's home on disk: its store, its blobs, and the lock that keeps a second hub out.

::

    DATA_DIR/hub/
        hub.lock    held by the one process that serves this folder
        hub.db      the store
        blobs/      checkpoints
        hub.json    where it listens and the key of its own user (`wire.LocalHub`), mode 0600
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.blobs import FolderBlobs
from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.rows import Caller
from hub_callbacks.wire import LocalHub

_ADMIN, _LOCAL = "admin", "local"  # names of keys: the one printed once, and the one in the note


class ServeError(HubCallbacksError):
    """The hub cannot be served as asked."""


class HubInUseError(ServeError):
    """Another process serves this folder's hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFolder:
    """An open hub folder."""

    data_dir: Path
    store: Store
    blobs: FolderBlobs

    def first_key(self) -> str | None:
        """A key for the operator, made when the folder is served for the first time; None ever after."""
        if any(key.name == _ADMIN for key in self.store.list_keys()):
            return None
        return self.store.create_key(self._admin().user_id, name=_ADMIN)

    def note(self, url: str, pid: int) -> LocalHub:
        """The note for the processes of this user. The key of the last one is kept as long as it is good."""
        last = LocalHub.read(self.data_dir)
        if last and self.store.caller_of_key(last.key):
            return LocalHub(url=url, key=last.key, pid=pid)
        self.store.delete_keys(_LOCAL)
        return LocalHub(url=url, key=self.store.create_key(self._admin().user_id, name=_LOCAL), pid=pid)

    def _admin(self) -> Caller:
        return self.store.first_admin() or self.store.create_user("admin", "admin")


@contextmanager
def open_folder(data_dir: Path, *, wait_s: float = 0.0) -> Iterator[HubFolder]:
    """The hub folder under a data folder, made where there is none, and this process's own until the block ends.

    Args:
        data_dir: The folder under which everything local lies.
        wait_s: How long to wait for another process to let go of it.

    Raises:
        HubInUseError: Another process has it.
        ServeError: It cannot be made.
    """
    home = data_dir / "hub"
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)  # the store holds the secret that signs sessions
    except OSError as error:
        raise ServeError(f"The hub's folder {str(home)!r} cannot be made: {error}.") from error
    lock = FileLock(home / "hub.lock")
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise HubInUseError(f"Another process serves the hub in {str(home)!r}. Stop it, or use another folder.") from (
            error
        )
    try:
        store = open_store(home / "hub.db")
        try:
            yield HubFolder(data_dir=data_dir, store=store, blobs=FolderBlobs(home / "blobs"))
        finally:
            store.close()
    finally:
        lock.release()
