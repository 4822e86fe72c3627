from ultralytics.yolo.utils import RANK, callbacks


class BaseTrainer:
    def __init__(self, overrides=None, _callbacks=None):
        self.args = overrides or {}
        self.epochs = self.args.get("epochs", 2)
        self.hub_session = None
        self.callbacks = _callbacks or callbacks.get_default_callbacks()
        if RANK in (-1, 0):
            callbacks.add_integration_callbacks(self)

    def run_callbacks(self, event):
        for callback in self.callbacks.get(event, []):
            callback(self)

    def train(self):
        if self.args.get("device") != "0,1":  # else DDP: the children do it
            self._do_train()

    def _do_train(self):
        self.run_callbacks("on_pretrain_routine_start")
        if self.args.get("data") == "missing.yaml":
            raise FileNotFoundError("Dataset 'missing.yaml' images not found")
        self.run_callbacks("on_pretrain_routine_end")
        for epoch in range(self.epochs):
            self.epoch = epoch
            self.run_callbacks("on_train_batch_end")
            self.run_callbacks("on_train_epoch_end")
            self.run_callbacks("on_model_save")
            self.run_callbacks("on_fit_epoch_end")
        self.run_callbacks("on_fit_epoch_end")
        self.run_callbacks("on_train_end")
        self.run_callbacks("teardown")
