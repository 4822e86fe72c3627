"""Another package's plugin in a real training: told of everything, and no harm when it raises."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine


def test_plugin_is_told_of_every_event_and_may_raise(fresh_machine: Machine, wheel: Path, spy_wheel: Path) -> None:
    told = fresh_machine.folder / "told.jsonl"
    machine = replace(fresh_machine, env={"SPY_FILE": str(told), "SPY_RAISES": "1"})
    machine.install(wheel)
    machine.install(spy_wheel)
    output = machine.train()
    events = [json.loads(line)["event"] for line in told.read_text().splitlines()]
    assert events[:2] == ["on_pretrain_routine_start", "on_pretrain_routine_end"]
    assert events[-3:] == ["on_fit_epoch_end", "on_train_end", "teardown"]
    counts = Counter(events)
    assert (counts["on_train_epoch_end"], counts["on_model_save"], counts["on_fit_epoch_end"]) == (3, 3, 4)
    assert (output.count("Plugin 'spy' failed"), output.count("the spy was caught")) == (1, 1)
    machine.assert_all_delivered()
