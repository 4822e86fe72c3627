"""What is known of a trainer, for as long as it lives: not on the trainer, which is pickled and copied."""

from __future__ import annotations

import weakref
from typing import Any, Generic, TypeVar

ValueT = TypeVar("ValueT")


class ByTrainer(Generic[ValueT]):
    """A value for each trainer, which is held weakly and found by identity.

    A `WeakKeyDictionary` asks the key for its hash, in Python's own code; called once an epoch, when the processor's
    caches hold none of it, its look-up takes as long as the write of the epoch's row.
    """

    __slots__ = ("_trainers", "_values")

    def __init__(self) -> None:
        self._values: dict[int, ValueT] = {}
        self._trainers: dict[int, weakref.ref[Any]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, trainer: object) -> ValueT | None:
        """The trainer's value; None when it has none."""
        return self._values.get(id(trainer))

    def put(self, trainer: object, value: ValueT) -> None:
        """Keep a value, in place of an earlier one."""
        key = id(trainer)
        self._values[key] = value
        self._trainers[key] = weakref.ref(trainer, lambda _: self._forget(key))

    def pop(self, trainer: object) -> ValueT | None:
        """Take the trainer's value out; None when it has none."""
        return self._forget(id(trainer))

    def _forget(self, key: int) -> ValueT | None:
        self._trainers.pop(key, None)
        return self._values.pop(key, None)
