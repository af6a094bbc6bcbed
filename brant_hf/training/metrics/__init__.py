"""Metrics of each task for the stock `Trainer`.

An object serves as `compute_metrics`, its method `reduce` as `preprocess_logits_for_metrics`:

```python
metrics = SeizureDetectionMetrics(dataset["subject"], config=model.config)
trainer = Trainer(..., compute_metrics=metrics, preprocess_logits_for_metrics=metrics.reduce)
```

After an evaluation, `metrics.per_subject` has a row for each subject.

`reduce` turns the outputs of a batch into a few numbers for each window, on the device and in each process, before
anything is gathered. With `TrainingArguments(batch_eval_metrics=True)` labels are not kept either, and the evaluation
set may be larger than the memory.

`BrantForPreTraining` has no labels, and `Trainer` computes no metrics without them: its metric is `eval_loss`.
"""

from .base import WindowMetrics
from .detection import SeizureDetectionMetrics
from .signals import ForecastingMetrics, FrequencyPhaseMetrics, ImputationMetrics

__all__ = [
    "ForecastingMetrics",
    "FrequencyPhaseMetrics",
    "ImputationMetrics",
    "SeizureDetectionMetrics",
    "WindowMetrics",
]
