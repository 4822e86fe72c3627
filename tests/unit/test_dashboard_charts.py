from __future__ import annotations

from hub_callbacks.server.dashboard.charts import charts

DETECT = [
    *("train/box_loss", "train/cls_loss", "train/dfl_loss", "val/box_loss", "val/cls_loss", "val/dfl_loss"),
    *("metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"),
    *("lr/pg0", "lr/pg1", "lr/pg2", "model/parameters", "model/GFLOPs"),
]


def titles(metrics: list[str]) -> list[str]:
    return [chart.title for chart in charts(metrics)]


def legend(metrics: list[str], title: str) -> list[tuple[str, str]]:
    [chart] = [chart for chart in charts(metrics) if chart.title == title]
    return [(curve.label, curve.metric) for curve in chart.curves]


def test_charts_come_in_the_order_in_which_yolo_users_look() -> None:
    assert titles(DETECT) == ["Box loss", "Cls loss", "DFL loss", "Precision and recall", "mAP", "Learning rate"]


def test_charts_draw_train_and_val_of_a_loss_together() -> None:
    assert legend(DETECT, "Box loss") == [("train", "train/box_loss"), ("val", "val/box_loss")]


def test_charts_draw_both_maps_together() -> None:
    assert legend(DETECT, "mAP") == [("mAP50", "metrics/mAP50(B)"), ("mAP50-95", "metrics/mAP50-95(B)")]


def test_charts_draw_all_learning_rates_together() -> None:
    assert legend(DETECT, "Learning rate") == [("pg0", "lr/pg0"), ("pg1", "lr/pg1"), ("pg2", "lr/pg2")]


def test_charts_put_other_losses_after_box_cls_and_dfl() -> None:
    assert titles(["train/seg_loss", "val/seg_loss", "train/dfl_loss"]) == ["DFL loss", "Seg loss"]


def test_charts_name_the_head_when_a_task_has_two() -> None:
    metrics = ["metrics/mAP50(B)", "metrics/mAP50(M)", "metrics/recall(B)", "metrics/recall(M)"]
    assert titles(metrics) == [
        "Precision and recall (box)",
        "Precision and recall (mask)",
        "mAP (box)",
        "mAP (mask)",
    ]


def test_charts_know_classification() -> None:
    metrics = ["train/loss", "val/loss", "metrics/accuracy_top1", "metrics/accuracy_top5"]
    assert titles(metrics) == ["Loss", "Accuracy"]
    assert legend(metrics, "Accuracy") == [
        ("top-1", "metrics/accuracy_top1"),
        ("top-5", "metrics/accuracy_top5"),
    ]


def test_charts_put_unknown_metrics_last_one_by_one() -> None:
    assert titles(["my/own", "lr/pg0", "metrics/fitness", "plain"]) == ["Learning rate", "fitness", "my/own", "plain"]


def test_charts_have_keys_that_are_distinct_and_fit_for_html() -> None:
    keys = [
        chart.key for chart in charts([*DETECT, "metrics/mAP50(M)", "a b/c", "a-b/c", "fitness", "metrics/fitness"])
    ]
    assert len(set(keys)) == len(keys)
    assert not any(character.isspace() for key in keys for character in key)
