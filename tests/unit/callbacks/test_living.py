"""What is known of each trainer."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from hub_callbacks.callbacks.living import ByTrainer


@dataclass
class Twin:
    """A trainer that equals every other one, and has no hash."""

    __slots__ = ("__weakref__",)


def test_each_trainer_has_its_own_value_even_where_all_are_equal() -> None:
    known: ByTrainer[str] = ByTrainer()
    first, second, third = Twin(), Twin(), Twin()
    known.put(first, "first")
    known.put(second, "second")
    assert [known.get(trainer) for trainer in (first, second, third)] == ["first", "second", None]


def test_value_goes_with_its_trainer() -> None:
    known: ByTrainer[str] = ByTrainer()
    trainer = Twin()
    known.put(trainer, "earlier")
    known.put(trainer, "value")
    assert len(known) == 1
    del trainer
    gc.collect()
    assert len(known) == 0


def test_value_is_taken_out_once() -> None:
    known: ByTrainer[str] = ByTrainer()
    trainer = Twin()
    known.put(trainer, "value")
    assert (known.pop(trainer), known.pop(trainer), known.get(trainer)) == ("value", None, None)


def test_trainer_that_was_taken_out_takes_nobody_elses_value_along() -> None:
    known: ByTrainer[str] = ByTrainer()
    kept, trainer = Twin(), Twin()
    known.put(kept, "kept")
    known.put(trainer, "value")
    known.pop(trainer)
    del trainer
    gc.collect()
    assert known.get(kept) == "kept"
