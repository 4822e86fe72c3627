"""A model of the hub in Ultralytics: ``YOLO("<hub>/models/ID")`` loads it, and its ``train`` starts or continues it.

The class that ``YOLO`` descends from is wrapped in two places. ``__init__`` puts a file of this machine in the place
of the identifier, so that Ultralytics' own code for HUB (up to 8.4.114) and for Triton servers (since 8.4.115 any http
URL is taken for one) never sees it. ``train`` lays the hub's arguments over the user's.

Imported when Ultralytics is: the standard library only, until a model of the hub is asked for.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_callbacks._bootstrap import is_disabled

if TYPE_CHECKING:
    from hub_callbacks.callbacks.start import Start

MARK = "__hub_callbacks__"
START = "_hub_callbacks_start"  # on a model: the start that its `train` makes
_FOR_CHILDREN = "HUB_CALLBACKS_START"  # in the environment of a DDP training's children, which never see the model
_ID_LENGTH = 20  # as in `wire`, which is not imported for a look

_current: ContextVar[Start | None] = ContextVar("hub_callbacks_start", default=None)


def patch(model_class: type[Any]) -> None:
    """Wrap the model class; once, however often it is called."""
    if hasattr(model_class.train, MARK):
        return
    model_class.__init__ = _wrap_init(model_class.__init__)
    model_class.train = _wrap_train(model_class.train)
    if hasattr(model_class, "_get_hub_session"):  # 8.1 and 8.2 create a model on their hub for any training
        model_class._get_hub_session = staticmethod(_wrap_session(model_class._get_hub_session))


def current() -> Start | None:
    """The start that is being trained in this thread, or by the parent of this DDP child; None for a local training."""
    if (start := _current.get()) is not None or "RANK" not in os.environ:
        return start
    return _told_by_parent(os.environ.get(_FOR_CHILDREN, ""))


@contextmanager
def told_to_children(trainer: Any) -> Iterator[None]:
    """Let the children of a DDP training know what they train."""
    start = _current.get()
    if start is None:
        yield
        return
    os.environ[_FOR_CHILDREN] = json.dumps(start.to_children(trainer))
    try:
        yield
    finally:
        os.environ.pop(_FOR_CHILDREN, None)


@functools.lru_cache(maxsize=1)
def _told_by_parent(text: str) -> Start | None:
    if not text:
        return None
    from hub_callbacks.callbacks.start import Start

    return Start.of_parent(json.loads(text))


def _wrap_init(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it stands in for the class's own
        identifier = args[0] if args else kwargs.get("model")
        start = None if is_disabled() or not _may_name_a_model(identifier) else _load(str(identifier).strip())
        if start is None:
            original(self, *args, **kwargs)
        elif args:
            original(self, start.file, *args[1:], **kwargs)
        else:
            original(self, **{**kwargs, "model": start.file})
        if start is not None:
            vars(self)[START] = start

    return __init__


def _wrap_train(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        start: Start | None = vars(self).get(START)
        if start is None:
            return original(self, *args, **kwargs)
        kwargs = start.arguments(self, kwargs)
        token = _current.set(None if start.is_trained else start)
        try:
            result = original(self, *args, **kwargs)
        finally:
            _current.reset(token)
        vars(self).pop(START)  # what it is trained to now is no model of the hub, but a file
        return result

    setattr(train, MARK, True)
    return train


def _wrap_session(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _get_hub_session(*args: Any, **kwargs: Any) -> Any:
        from hub_callbacks.callbacks.attach import is_recording

        return None if is_recording() else original(*args, **kwargs)

    return _get_hub_session


def _may_name_a_model(identifier: object) -> bool:
    """Whether it is worth the import of our session to look closer: hardly any name is."""
    text = str(identifier).strip() if isinstance(identifier, (str, Path)) else ""
    is_url = text.startswith(("http://", "https://")) and "/models/" in text
    return is_url or (text[-_ID_LENGTH:].isalnum() and len(text) in {_ID_LENGTH, _ID_LENGTH + 43})


def _load(identifier: str) -> Start | None:
    from hub_callbacks.callbacks.start import Start

    return Start.load(identifier)
