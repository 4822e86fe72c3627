from copy import copy

from ultralytics.utils import RANK, callbacks


class BaseTrainer:
    def __init__(self, overrides=None, _callbacks=None):
        self.args = overrides or {}
        self.epochs = self.args.get("epochs", 2)
        self.callbacks = copy(_callbacks) if _callbacks else callbacks.get_default_callbacks()
        for event, functions in self.callbacks.items():
            self.callbacks[event] = functions.copy()
        self.ddp = self.args.get("device") == "0,1" and RANK == -1
        if RANK in {-1, 0} and not self.ddp:
            callbacks.add_integration_callbacks(self)
            self.run_callbacks("on_pretrain_routine_start")
        if self.args.get("data") == "missing.yaml":
            raise FileNotFoundError("Dataset 'missing.yaml' images not found")

    def run_callbacks(self, event):
        for callback in self.callbacks.get(event, []):
            callback(self)

    def train(self):
        try:
            if not self.ddp:
                self._do_train()
        finally:
            if not self.ddp:
                self.run_callbacks("teardown")

    def _do_train(self):
        self.run_callbacks("on_pretrain_routine_end")
        for epoch in range(self.epochs):
            self.epoch = epoch
            self.run_callbacks("on_train_batch_end")
            self.run_callbacks("on_train_epoch_end")
            self.run_callbacks("on_model_save")
            self.run_callbacks("on_fit_epoch_end")
        self.epoch += 1
        self.run_callbacks("on_fit_epoch_end")
        self.run_callbacks("on_train_end")
