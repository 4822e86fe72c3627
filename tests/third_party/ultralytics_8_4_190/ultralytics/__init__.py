"""A stand-in for Ultralytics 8.4.190: its modules, its events and their order, without torch."""

from ultralytics.engine.model import YOLO

__version__ = "8.4.190"
__all__ = ["YOLO"]
