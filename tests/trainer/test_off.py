"""Switched off, the plugin leaves no file, no process and no line of output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

NO_PROGRESS = re.compile(r"^.*(it/s|━|─).*$", re.MULTILINE)  # redrawn as often as time allows
FACTS = re.compile(r"\x1b\[[0-9;]*[mK]|[0-9.]+(e-[0-9]+)?|\s+")


def test_training_is_as_without_the_plugin_when_it_is_off(fresh_machine: Machine, wheel: Path) -> None:
    machine = fresh_machine
    train(machine)  # Ultralytics makes its settings and the label caches
    without = lines_of(train(machine))
    machine.install(wheel)
    for switch in ({"HUB_CALLBACKS_DISABLE": "1"}, {"HUB_CALLBACKS_HUB": "0"}, {"HUB_CALLBACKS_BLOCK": "hub"}):
        assert lines_of(train(machine, **switch)) == without, switch
        assert not machine.data_dir.exists(), switch
        assert machine.processes() == [], switch

    machine.run(machine.command("hub-callbacks"), "settings", "hub=false")
    assert lines_of(train(machine)) == without
    assert [path.name for path in machine.data_dir.rglob("*")] == ["settings.json"]
    assert machine.processes() == []


def train(machine: Machine, **switch: str) -> str:
    command = ["env", *(f"{name}={value}" for name, value in switch.items()), str(machine.python), "-c"]
    return machine.run(*command, machine.script(epochs=1, exist_ok=True))


def lines_of(output: str) -> list[str]:
    """The lines, without the numbers, the colours and the progress bars."""
    lines = NO_PROGRESS.sub("", output.replace("\r", "\n")).splitlines()
    return [line for line in (FACTS.sub("", line) for line in lines) if line]
