"""How a training of a hub's model starts here: from which file, with which arguments, in which folder."""

from __future__ import annotations

import csv
import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from hub_callbacks._bootstrap import install
from hub_callbacks.callbacks.attach import is_recording, ultralytics_settings
from hub_callbacks.callbacks.model import START
from hub_callbacks.callbacks.run_file import id_in
from hub_callbacks.errors import AlreadyTrainedError, DatasetError, HubModelError
from hub_callbacks.hookspecs import TrainerView
from hub_callbacks.session import addresses
from hub_callbacks.session.hub_model import HubModel
from hub_callbacks.session.identifier import parse, parse_model
from hub_callbacks.settings import Settings

logger = logging.getLogger("ultralytics")  # where a person looks during a training

_PLACE = ("project", "name", "exist_ok", "save_dir")  # where a resumed training writes: Ultralytics would not heed it


class Start:
    """A model of the hub, with all that a training of it needs on this machine.

    Attributes:
        run_id: The run, which is the model.
        settings: Its hub.
        attempt: When the training began that this one continues, as the hub knows; 0 for none.
        file: What Ultralytics loads.
    """

    def __init__(self, model: HubModel) -> None:
        self.run_id = str(model.model_id)
        self.settings = model.settings
        self.attempt = float((model.data.get("run") or {}).get("attempt") or 0.0)
        self.file = model.fetch_weights()
        self._model = model
        self._best: Path | None = None
        self._place: dict[str, Any] = {}
        self._data = ""

    @classmethod
    def load(cls, identifier: str) -> Start | None:
        """The start of the model that an identifier names; None for what is none, and where recording is off.

        Raises:
            HubCallbacksError: The model cannot be had: the message says why, and what to do.
        """
        given = parse_model(identifier)
        if given is None or not is_recording():
            return None
        settings = Settings.load(ultralytics=ultralytics_settings())
        if not addresses.is_hub(given, settings):
            return None
        start = cls(HubModel(identifier, settings=settings))
        logger.info("HUB: %s", start._greeting())
        return start

    @classmethod
    def of_parent(cls, told: Mapping[str, Any]) -> Start:
        """In the child of a DDP training: what its parent `to_children` says."""
        start = cls.__new__(cls)
        settings = Settings.load(ultralytics=ultralytics_settings())
        start.settings = replace(settings, api_url=told["api_url"], web_url=told["web_url"], api_key=told["api_key"])
        start.run_id, start._data, start._place = told["run_id"], told["data"], {"save_dir": told["save_dir"]}
        start._best = Path(told["best"]) if told["best"] else None
        start.attempt = told["attempt"]
        return start

    def to_children(self, trainer: TrainerView) -> dict[str, Any]:
        """What the children of a DDP training have to know, as plain JSON values."""
        return {
            "run_id": self.run_id,
            **{name: getattr(self.settings, name) for name in ("api_url", "web_url", "api_key")},
            "save_dir": str(trainer.save_dir),
            "data": self._data,
            "best": str(self._best or ""),
            "attempt": self.attempt,
        }

    @property
    def is_trained(self) -> bool:
        """Whether a training of it is one of its own, not the model's."""
        return self._model.state == "trained"

    def arguments(self, model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """What ``model.train`` is to be called with, where the user gave these.

        Raises:
            AlreadyTrainedError: The model is trained, and nothing says what else is wanted.
            HubModelError: It cannot be trained from what is here.
            TransportError: Its data set cannot be had, or the key may not train it.
        """
        if self.is_trained:
            return self._as_new_run(given)
        self._model.check_own()
        self._warn_of_another_trainer()
        self._data = self._find_data(given)
        if self._model.state == "new":
            return self._over(given, {**(self._model.train_args or {}), "data": self._data})
        self._best = self._model.fetch_best()
        self._check_resumable(model)
        self._place = {name: given[name] for name in _PLACE if name in given}
        kept = {name: value for name, value in given.items() if name not in _PLACE}
        return self._over(kept, {"data": self._data, "resume": True})

    def place(self, trainer: TrainerView) -> None:
        """Put right what a resumed checkpoint says of the machine that it comes from: its folder and its data."""
        if not getattr(trainer, "resume", False) or not self._data:
            return
        args: Any = trainer.args
        args.data = self._data
        if not self._place and id_in(Path(getattr(args, "save_dir", None) or "")) == self.run_id:
            return  # this very machine, and nothing else is wanted
        vars(args).pop("save_dir", None)  # 8.0.100 looks whether it is there, not what it is
        args.exist_ok = False
        if PurePosixPath(str(args.project or "")).is_absolute() and not Path(args.project).exists():
            args.project = None
        for name, value in self._place.items():
            setattr(args, name, value)

    def put_best(self, trainer: TrainerView) -> None:
        """Lay the best checkpoint so far into a resumed run's folder, where it is missing: none may be better."""
        if self._best is not None and not Path(trainer.best).exists():
            shutil.copyfile(self._best, trainer.best)

    def _greeting(self) -> str:
        page = self._model.model_url
        return {
            "new": f"{page} is loaded: train() starts it from {Path(self.file).name}.",
            "resumable": f"{page} is loaded: train() continues it from its last checkpoint.",
            "trained": f"{page} is trained: its best.pt is loaded for predict, val and export.",
        }[self._model.state or "new"]

    def _as_new_run(self, given: Mapping[str, Any]) -> dict[str, Any]:
        page = self._model.model_url
        if not given.get("data"):
            raise AlreadyTrainedError(
                f"{page} is trained already. To train a new run from its weights, say on what: train(data=...), or"
                f" hub-callbacks train MODEL data=FILE. To begin anew: hub-callbacks runs reset {self._model.model_id}"
            )
        logger.info("HUB: %s is trained and stays as it is; this is a new run from its weights.", page)
        return dict(given)

    def _over(self, given: Mapping[str, Any], hub: Mapping[str, Any]) -> dict[str, Any]:
        """The hub's arguments over the user's, and a line that says so."""
        changed = [
            f"{name}={value} (not {given[name]})" for name, value in hub.items() if given.get(name, value) != value
        ]
        if self._model.state == "resumable" and "epochs" in given:
            changed.append("epochs as the checkpoint has them")
        if changed:
            logger.info("HUB: The hub's arguments replace yours: %s.", ", ".join(changed))
        return {**given, **hub}

    def _find_data(self, given: Mapping[str, Any]) -> str:
        """The hub's data set on this machine; the user's, where the hub only knows a path on another machine.

        Raises:
            DatasetError: The user gave none.
        """
        found = self._model.fetch_data()
        is_path = PurePosixPath(found).is_absolute() or PureWindowsPath(found).is_absolute()
        if not is_path or Path(found).exists():
            return found
        if given.get("data"):
            return str(given["data"])
        raise DatasetError(
            f"The data set of {self._model.model_url} is {found!r}, which is not on this machine. Say where it is here:"
            " data=... Or upload it to the hub and train from there."
        )

    def _check_resumable(self, model: Any) -> None:
        """See that Ultralytics will resume and not begin anew; from a newer checkpoint where this machine has one.

        Raises:
            HubModelError: The checkpoint holds no optimizer.
        """
        checkpoint: Mapping[str, Any] = model.ckpt or {}
        epoch = int(checkpoint.get("epoch", -1))
        if epoch < 0 or checkpoint.get("optimizer") is None:
            raise HubModelError(
                f"The last checkpoint of {self._model.model_url} holds no optimizer: nothing can be continued from it."
                " To train from its weights, download and train it; to begin anew: hub-callbacks runs reset"
                f" {self._model.model_id}"
            )
        folder = Path((checkpoint.get("train_args") or {}).get("save_dir") or "")
        last = folder / "weights" / "last.pt"
        if id_in(folder) == self.run_id and last.exists() and _epochs_in(folder) > epoch + 1:
            logger.info("HUB: This machine has a newer checkpoint than the hub: continuing from %s.", last)
            model.ckpt_path = str(last)

    def _warn_of_another_trainer(self) -> None:
        run = self._model.data.get("run") or {}
        if run.get("state") == "running":
            host = (run.get("environment") or {}).get("host") or "another machine"
            logger.warning(
                "HUB: %s is being trained on %s, as far as the hub knows. Two trainings of one model overwrite each"
                " other.",
                self._model.model_url,
                host,
            )


def _epochs_in(folder: Path) -> int:
    """Number of epochs in results.csv."""
    try:
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            return len({row[0].strip() for row in csv.reader(file) if row}) - 1
    except OSError:
        return 0


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Have Ultralytics check training arguments, before anything is loaded for them.

    Raises:
        ValueError: It does not take them; its reason, in one line.
    """
    get_cfg = _cfg().get_cfg
    quiet = logging.getLogger("ultralytics")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # it would log how its own command is called
    try:
        get_cfg(overrides=dict(arguments))
    except (AssertionError, SyntaxError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n\n")[0]  # up to 8.3 the help of its own command follows
        raise ValueError(" ".join(reason.split())) from error
    finally:
        quiet.setLevel(level)


def _cfg() -> Any:
    try:
        return import_module("ultralytics.cfg")
    except ModuleNotFoundError:
        return import_module("ultralytics.yolo.cfg")


def train(identifier: str, arguments: Mapping[str, Any]) -> None:
    """Train what an identifier names, as ``YOLO(identifier).train(**arguments)`` does.

    Raises:
        HubCallbacksError: It names a model of the hub that cannot be had, or trained; or nothing at all.
    """
    parse(identifier, web_root=addresses.web_root(Settings.load()))
    install()
    from ultralytics import YOLO

    try:
        model = YOLO(identifier)
    except FileNotFoundError as error:
        raise HubModelError(f"There is no file {identifier!r} here, and Ultralytics offers none. ({error})") from error
    if parse_model(identifier) and not hasattr(model, START):
        raise HubModelError(
            f"{identifier.partition('?')[0]} is no model of a hub, or recording is off: hub-callbacks doctor."
        )
    model.train(**arguments)
