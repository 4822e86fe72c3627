from ultralytics.yolo.engine.trainer import BaseTrainer
from ultralytics.yolo.utils import callbacks


class DetectionTrainer(BaseTrainer):
    pass


class YOLO:
    def __init__(self, model="yolov8n.yaml", session=None):
        self.session = session
        self.callbacks = callbacks.get_default_callbacks()

    def add_callback(self, event, function):
        self.callbacks[event].append(function)

    def train(self, trainer=None, **kwargs):
        self.trainer = (trainer or DetectionTrainer)(overrides=kwargs, _callbacks=self.callbacks)
        self.trainer.hub_session = self.session
        self.trainer.train()
