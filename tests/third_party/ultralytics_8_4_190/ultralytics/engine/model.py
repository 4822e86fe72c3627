from ultralytics.engine.predictor import BasePredictor
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import callbacks


class DetectionTrainer(BaseTrainer):
    pass


class YOLO:
    def __init__(self, model="yolo11n.yaml"):
        self.model = model
        self.callbacks = callbacks.get_default_callbacks()

    def add_callback(self, event, function):
        self.callbacks[event].append(function)

    def train(self, trainer=None, **kwargs):
        self.trainer = (trainer or DetectionTrainer)(overrides=kwargs, _callbacks=self.callbacks)
        self.trainer.train()

    def predict(self):
        self.predictor = BasePredictor(_callbacks=self.callbacks)
