"""The errors that a training, a command or a plugin can meet; those of the hub's own rooms descend from the same root.

The tree::

    HubCallbacksError
    ├── SettingsError            a setting has a value that is not allowed
    ├── IdentifierError          a model identifier is none of the forms that a session takes
    ├── HubModelError            a model of the hub cannot be loaded or trained
    │   ├── ModelNotFoundError   the hub has no such model
    │   ├── AlreadyTrainedError  it is trained, and training it again would overwrite it
    │   └── DatasetError         its data set cannot be had, or cannot be used here
    │       └── DatasetNotReadyError the hub is still processing it
    ├── RecordError              a stored record cannot be read back
    ├── OutboxError              the outbox cannot be opened or written
    │   ├── OutboxFullError      a size limit of the outbox or the spool is reached
    │   └── OutboxDamagedError   its file is damaged; it will be set aside when it is opened again
    └── TransportError           a request to the hub failed
        ├── RetryableError       it can heal by itself: try again later
        │   ├── UnreachableError no reply came at all
        │   ├── BusyError        the hub asked everybody to wait
        │   └── DamagedError     a file did not arrive as the hub has it
        └── PermanentError       it cannot: the hub refused
            ├── UnauthorizedError the hub does not know the key
            └── ForbiddenError   it knows the key, but its user may not do this
"""

from __future__ import annotations


class HubCallbacksError(Exception):
    """The root of all errors raised by hub-callbacks."""


class SettingsError(HubCallbacksError):
    """A setting has a value that is not allowed; the message names the setting, the value and what is allowed."""


class IdentifierError(HubCallbacksError, ValueError):
    """A model identifier is neither a hub URL, a key and an ID, an ID, nor a ``.pt`` or ``.yaml`` file."""


class HubModelError(HubCallbacksError, ValueError):
    """A model of the hub cannot be loaded or trained; the message names the model's page and says what to do."""


class ModelNotFoundError(HubModelError):
    """The hub has no such model, or the key may not see it."""


class AlreadyTrainedError(HubModelError):
    """The model is trained already; training it again would overwrite what it is."""


class DatasetError(HubModelError):
    """A model's data set cannot be had, is not safe to unpack, or holds nothing that Ultralytics could train on."""


class DatasetNotReadyError(DatasetError):
    """The hub is still processing the model's data set, or has none for it."""


class RecordError(HubCallbacksError, ValueError):
    """A stored record cannot be read back as the kind that it claims to be."""


class OutboxError(HubCallbacksError):
    """The outbox cannot be opened or written; the message names the file and the reason."""


class OutboxFullError(OutboxError):
    """A size limit of the outbox or the spool is reached, or the disk is full."""


class OutboxDamagedError(OutboxError):
    """The outbox's file is damaged: it is set aside, and a new one made, when it is opened again."""


class TransportError(HubCallbacksError):
    """A request to the hub failed."""


class RetryableError(TransportError):
    """A request failed in a way that can heal: connection trouble, 408, 425, 429, 5xx, a 2xx that is not the hub's.

    Attributes:
        retry_after_s: Seconds that the hub asked to wait (``Retry-After``, RFC 9110 section 10.2.3), or None.
        status: The HTTP status code of a refusal that can heal; None where there was none.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status


class UnreachableError(RetryableError):
    """No reply came: refused, reset, timed out, or the name could not be resolved."""


class BusyError(RetryableError):
    """The hub asked to be left alone for a while: 429, or a ``Retry-After`` beside another status that can heal."""


class DamagedError(RetryableError):
    """A file came whole, but is not what the hub has: its SHA-256 is another one."""


class PermanentError(TransportError):
    """The hub refused the request, and will refuse it again.

    Attributes:
        status: The HTTP status code of the reply.
        is_hubs: Whether the reply is a hub's. If not, something in between may have given it, and it may go.
        said: The hub's own message; empty where it is not known.
    """

    def __init__(self, message: str, *, status: int, is_hubs: bool = True, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        self.is_hubs = is_hubs


class UnauthorizedError(PermanentError):
    """The hub does not know the API key (401)."""

    def __init__(self, message: str, *, is_hubs: bool = True) -> None:
        super().__init__(message, status=401, is_hubs=is_hubs)


class ForbiddenError(PermanentError):
    """The hub knows the API key, but its user may not do this (403)."""

    def __init__(self, message: str, *, is_hubs: bool = True, said: str = "") -> None:
        super().__init__(message, status=403, is_hubs=is_hubs, said=said)
