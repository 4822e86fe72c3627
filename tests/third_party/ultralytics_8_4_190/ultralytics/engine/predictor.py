from ultralytics.utils import callbacks


class BasePredictor:
    def __init__(self, _callbacks=None):
        self.callbacks = _callbacks or callbacks.get_default_callbacks()
        callbacks.add_integration_callbacks(self)
