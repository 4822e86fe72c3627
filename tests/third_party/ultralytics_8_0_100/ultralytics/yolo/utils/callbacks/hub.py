calls = []  # what Ultralytics' own HUB callbacks were called for


def on_pretrain_routine_start(trainer):
    calls.append("on_pretrain_routine_start")


def on_fit_epoch_end(trainer):
    calls.append("on_fit_epoch_end")


callbacks = {"on_pretrain_routine_start": on_pretrain_routine_start, "on_fit_epoch_end": on_fit_epoch_end}
