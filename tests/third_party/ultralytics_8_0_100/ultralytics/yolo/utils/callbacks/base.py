from collections import defaultdict
from copy import deepcopy


def on_pretrain_routine_start(trainer):
    """The first default callback of each event does nothing, as in Ultralytics."""


default_callbacks = {"on_pretrain_routine_start": [on_pretrain_routine_start]}


def get_default_callbacks():
    return defaultdict(list, deepcopy(default_callbacks))


def add_integration_callbacks(instance):
    from ultralytics.yolo.utils.callbacks.hub import callbacks as hub_cb

    for event, function in hub_cb.items():
        if function not in instance.callbacks[event]:
            instance.callbacks[event].append(function)
