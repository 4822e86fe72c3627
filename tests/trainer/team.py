"""A team with one hub, as trainings on its machines see it."""

from __future__ import annotations

import hashlib
import io
import itertools
import signal
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.trainer.conftest import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One hub, and machines that share nothing but its address and a key; nothing depends on the release."""

    hub: HubServer
    data: Path
    epochs: int = 6

    def machine(self, machine: Machine, name: str) -> Machine:
        """A machine of the team like the given one, with a folder of its own under that one's."""
        env = {"API_URL": self.hub.url, "API_KEY": self.hub.key, "CKPT_S": "0"}
        folder = machine.folder / name
        folder.mkdir()
        own = {f"HUB_CALLBACKS_{name}": value for name, value in env.items()}
        return replace(machine, folder=folder, env={**machine.env, **own})

    def new_model(self, **config: Any) -> str:
        """A model that was made on the hub; its page."""
        given = {"epochs": self.epochs, "batchSize": 8, "imageSize": 64, "device": "cpu", **config}
        body = {
            "meta": {"name": "made on the hub"},
            "config": given,
            "datasetId": self.new_dataset(),
            "lineage": {"architecture": {"name": "yolov8n"}},  # in every release
        }
        return self.hub.url + wire.page(self.hub.ask("POST", wire.MODELS, json=body)["id"])

    def new_dataset(self) -> str:
        """The data set on the hub, as its user would pack it; its id."""
        dataset_id = str(self.hub.ask("POST", wire.DATASETS, json={"meta": {"name": "drawings"}})["id"])
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            for path in sorted(self.data.parent.rglob("*.*")):
                opened.write(path, path.relative_to(self.data.parent.parent))
        files = {"file": ("drawings.zip", archive.getvalue())}
        self.hub.ask("POST", f"{wire.dataset(dataset_id)}/upload", files=files)
        return dataset_id

    def script(self, machine: Machine, page: str, *before: str, **arguments: Any) -> str:
        """A plain script that trains a model of the hub."""
        place = {"project": str(machine.save_dir.parent), "name": machine.save_dir.name}
        lines = ["from ultralytics import YOLO", f"model = YOLO({page!r})", *before]
        return "\n".join([*lines, f"model.train(**{place | {'workers': 0, 'plots': False} | arguments!r})"])

    def start(self, machine: Machine, page: str, **arguments: Any) -> str:
        """Train a new model of the hub to its end; the output."""
        return machine.run(str(machine.python), "-c", self.script(machine, page, **arguments))

    def kill(self, machine: Machine, page: str, *, epoch: int) -> None:
        """Start a training, kill it when that epoch, 0-based, begins, and wait for the checkpoint before it."""
        told = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch, flush=True))"
        with machine.start(str(machine.python), "-c", self.script(machine, page, told)) as process:
            assert process.stdout is not None
            output = list(itertools.takewhile(lambda line: not line.startswith(f"EPOCH {epoch}"), process.stdout))
            process.kill()
            assert process.wait() == -signal.SIGKILL, "".join(output)
        path = wire.checkpoints(page.rpartition("/")[2])
        give_up_at = time.monotonic() + 60
        while epoch - 1 not in [one["epoch"] for one in self.hub.ask("GET", path)]:
            assert time.monotonic() < give_up_at, "the checkpoint did not come in time"
            time.sleep(0.1)

    def resume(self, machine: Machine, page: str) -> str:
        """Continue a model of the hub by the command; the output."""
        place = [f"project={machine.save_dir.parent}", f"name={machine.save_dir.name}", "workers=0", "plots=False"]
        command = "import sys; from hub_callbacks.cli import main; sys.argv[0] = 'hub-callbacks'; main()"
        return machine.run(str(machine.python), "-c", command, "train", page, *place)

    def use(self, machine: Machine, page: str) -> str:
        """Predict with a trained model of the hub, validate and export it; the output."""
        image = next(self.data.parent.glob("images/val/*.png"))
        lines = [
            "import hashlib, pathlib",
            "from ultralytics import YOLO",
            f"model = YOLO({page!r})",
            "print('LOADED', hashlib.sha256(pathlib.Path(model.ckpt_path).read_bytes()).hexdigest())",
            f"print('FOUND', len(model.predict({str(image)!r}, imgsz=64, verbose=False)))",
            f"model.val(data={str(self.data)!r}, imgsz=64, plots=False, workers=0, device='cpu')",
            "print('EXPORTED', model.export(format='torchscript', imgsz=64))",
        ]
        return machine.run(str(machine.python), "-c", "\n".join(lines))

    def assert_trained(self, machine: Machine, page: str) -> None:
        """The page's model is whole: one curve of every epoch once, and the best checkpoint of that machine."""
        model_id = page.rpartition("/")[2]
        model = self.hub.ask("GET", wire.model(model_id))
        assert (model["status"], model["run"]["state"]) == ("trained", "finished")
        curves = self.hub.ask("GET", wire.metrics(model_id))
        (losses,) = [curve["data"] for curve in curves if curve["meta"]["name"] == "train/box_loss"]
        assert sorted(map(int, losses)) == list(range(model["epochs"]))
        (final,) = [one for one in self.hub.ask("GET", wire.checkpoints(model_id)) if one["isFinal"]]
        best = (machine.save_dir / "weights" / "best.pt").read_bytes()
        assert final["sha256"] == hashlib.sha256(best).hexdigest()
        assert [one["id"] for one in self.hub.ask("GET", wire.MODELS)["results"]] == [model_id]
