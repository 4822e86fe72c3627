"""A hub's home on disk: its store, its blobs, and the lock that keeps a second hub out of them.

::

    DATA_DIR/hub/
        hub.lock    held by the one process that serves this folder
        hub.db      the store
        blobs/      checkpoints
        hub.json    where it listens and the key of its own user (`wire.LocalHub`), mode 0600

Where the store is PostgreSQL, there is neither lock nor ``hub.db``: any number of hubs may share it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.blobs import Blobs, FolderBlobs
from hub_callbacks.server.bucket import open_bucket
from hub_callbacks.server.signing import Signer
from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.database import Database, connect, is_sqlite, sqlite_url
from hub_callbacks.server.store.rows import Caller
from hub_callbacks.wire import LocalHub

_ADMIN, _LOCAL = "admin", "local"  # names of keys: the one printed once, and the one in the note
_Sharing = AbstractContextManager[object]


class ServeError(HubCallbacksError):
    """The hub cannot be served as asked."""


class HubInUseError(ServeError):
    """Another process serves this folder's hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a hub keeps what it has.

    Attributes:
        data_dir: The folder under which everything local lies.
        database_url: Where its store is; a file in the folder when empty.
        blobs_url: The bucket of its files; a folder in the folder when empty.
    """

    data_dir: Path
    database_url: str = ""
    blobs_url: str = ""

    def open(self) -> AbstractContextManager[HubFolder]:
        """The hub's folder (`open_folder`)."""
        return open_folder(self.data_dir, database_url=self.database_url, blobs_url=self.blobs_url)

    def database(self, *, is_own: bool = False) -> AbstractContextManager[Database]:
        """The database of the hub, which was served before (`open_database`)."""
        return open_database(self.data_dir, self.database_url, is_own=is_own)

    def blobs(self) -> Blobs:
        """Its files (`open_blobs`)."""
        return open_blobs(self.data_dir, self.blobs_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFolder:
    """An open hub folder."""

    data_dir: Path
    store: Store
    blobs: Blobs

    def first_key(self) -> str | None:
        """A key for the operator, made when the folder is served for the first time; None ever after."""
        if any(key.name == _ADMIN for key in self.store.list_keys()):
            return None
        return self.store.create_key(self._admin().user_id, name=_ADMIN)

    def note(self, url: str, pid: int) -> LocalHub:
        """The note for the processes of this user. The key of the last one is kept as long as it is good."""
        last = LocalHub.read(self.data_dir)
        key = last.key if last and self.store.caller_of_key(last.key) else self._note_key()
        return LocalHub(url=url, key=key, seal=Signer(self.store.secret("signing")).seal, pid=pid)

    def _note_key(self) -> str:
        name = self._note_name()
        self.store.delete_keys(name)
        return self.store.create_key(self._admin().user_id, name=name)

    def _note_name(self) -> str:
        """What the note's key is called: on a store that several hubs share, each has its own."""
        return _LOCAL if self.store.database.is_sqlite else f"{_LOCAL} {socket.gethostname()}:{self.data_dir}"

    def _admin(self) -> Caller:
        return self.store.first_admin() or self.store.create_user("admin", "admin")


@contextmanager
def open_folder(
    data_dir: Path, *, database_url: str = "", blobs_url: str = "", wait_s: float = 0.0
) -> Iterator[HubFolder]:
    """The hub folder under a data folder, made where there is none.

    With a store in the folder, both are this process's own until the block ends.

    Args:
        data_dir: The folder under which everything local lies.
        database_url: Where the store is; a file in the folder when empty.
        blobs_url: The bucket for files; a folder in the folder when empty.
        wait_s: How long to wait for another process to let go of the folder.

    Raises:
        HubInUseError: Another process has it.
        ServeError: It cannot be made.
        StoreError: The store cannot be opened.
    """
    home = data_dir / "hub"
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)  # the store holds the secret that signs sessions
    except OSError as error:
        raise ServeError(f"The hub's folder {str(home)!r} cannot be made: {error}.") from error
    is_own = is_sqlite(database_url)
    own: _Sharing = _lock(home, wait_s=wait_s) if is_own else nullcontext()
    with own, closing(open_store(database_url or home / "hub.db")) as store:
        yield HubFolder(data_dir=data_dir, store=store, blobs=open_blobs(data_dir, blobs_url, is_own=is_own))


@contextmanager
def open_database(data_dir: Path, database_url: str = "", *, is_own: bool = False) -> Iterator[Database]:
    """The database of a hub that was served before, as it is.

    Args:
        data_dir: The folder under which everything local lies.
        database_url: Where the database is; a file in the folder when empty.
        is_own: Let no hub serve it meanwhile, if it is SQLite.

    Raises:
        HubInUseError: A hub serves it.
        ServeError: There is none.
        StoreError: It cannot be reached.
    """
    file = data_dir / "hub" / "hub.db"
    if not database_url and not file.exists():
        raise ServeError(f"There is no hub in {str(data_dir)!r}. Pass its --data-dir or its --database-url.")
    own: _Sharing = _lock(file.parent, wait_s=0.0) if is_own and is_sqlite(database_url) else nullcontext()
    with own, closing(connect(database_url or sqlite_url(file))) as database:
        yield database


def open_blobs(data_dir: Path, blobs_url: str = "", *, is_own: bool = False) -> Blobs:
    """The files of a hub, in its folder where no bucket is named.

    Raises:
        BucketError: The bucket cannot be used.
    """
    return open_bucket(blobs_url) if blobs_url else FolderBlobs(data_dir / "hub" / "blobs", is_own=is_own)


def _lock(home: Path, *, wait_s: float) -> _Sharing:
    try:
        return FileLock(home / "hub.lock").acquire(timeout=wait_s)
    except Timeout as error:
        raise HubInUseError(f"Another process serves the hub in {str(home)!r}. Stop it, or use another folder.") from (
            error
        )
