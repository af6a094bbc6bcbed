"""How `torch.compile` makes the kernels of a training."""

from __future__ import annotations

import os


def set_up_compilation() -> None:
    """Choose what makes training steps faster, unless the environment says otherwise.

    `Trainer` and accelerate then compile each kind of layer (`ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION`), in seconds
    instead of minutes for the whole model. The gradients of a normalisation, of its input and of its weights, come
    from two kernels: one for both (`TORCHINDUCTOR_MIX_ORDER_REDUCTION`) took three times as long on an H200.
    """
    from torch._inductor import config

    # Dropout draws what it draws without compilation, in a kernel that makes four numbers at once.
    config.fallback_random = True
    os.environ.setdefault("ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION", "true")
    # Not there before PyTorch 2.10; the environment is read when `config` is imported, which was before.
    if "TORCHINDUCTOR_MIX_ORDER_REDUCTION" not in os.environ and hasattr(config.triton, "mix_order_reduction"):
        config.triton.mix_order_reduction = False
