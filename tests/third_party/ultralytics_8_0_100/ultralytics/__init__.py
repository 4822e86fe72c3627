"""A stand-in for Ultralytics 8.0.100: the `yolo` layout, HUB callbacks, callbacks shared with the model."""

from ultralytics.yolo.engine.model import YOLO

__version__ = "8.0.100"
__all__ = ["YOLO"]
