"""Models of a hub in real trainings: started, continued on another machine, and used when they are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine
    from tests.trainer.team import Team


def test_model_made_on_the_hub_is_trained_with_its_arguments_and_used(team: Team, machine: Machine) -> None:
    page, first, second = team.new_model(epochs=2), team.machine(machine, "a"), team.machine(machine, "b")
    output = team.start(first, page, epochs=9, batch=2)
    assert "The hub's arguments replace yours: batch=8 (not 2), epochs=2 (not 9)." in output
    team.assert_trained(first, page)

    output = team.use(second, page)
    assert f"{page} is trained: its best.pt is loaded for predict, val and export." in output
    assert "FOUND 1" in output
    assert "EXPORTED" in output

    again = team.script(second, page)
    output = second.run(str(second.python), "-c", again, returncode=1)
    assert "AlreadyTrainedError" in output
    assert "train(data=...), or hub-callbacks train MODEL data=FILE" in output.splitlines()[-1]
    output = team.start(second, page, data=str(team.data), epochs=1, imgsz=64, device="cpu")
    assert "this is a new run from its weights" in output
    newest, oldest = team.hub.ask("GET", wire.MODELS)["results"]
    assert (oldest["id"], oldest["run"]["lastEpoch"]) == (page.rpartition("/")[2], 1)
    assert (newest["status"], newest["run"]["lastEpoch"]) == ("trained", 0)


def test_killed_training_is_continued_on_another_machine(team: Team, machine: Machine) -> None:
    page, first, second = team.new_model(), team.machine(machine, "a"), team.machine(machine, "b")
    team.kill(first, page, epoch=2)
    output = team.resume(second, page)
    assert f"HUB: View this run at {page}" in output
    team.assert_trained(second, page)
    epochs = [line.split(",")[0] for line in (second.save_dir / "results.csv").read_text().splitlines()]
    assert [epoch.strip() for epoch in epochs] == ["epoch", "3", "4", "5", "6"]
