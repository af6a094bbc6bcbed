"""Attention of many short sequences, for training on GPUs: `attn_implementation="brant_triton"`.

The temporal encoder has thousands of sequences of 15 patches. Kernels of flash attention work on tiles of 64 or 128
rows, which such a sequence fills to a quarter or less, and training at full size spends a sixth of its time there
(`examples/benchmarks/gpu.py`). The kernels of `short_attention_kernels.py` fit the tile to the sequence.
"""

from __future__ import annotations

from typing import Any

import torch

NAME = "brant_triton"
# Patches or channels of a sequence. Beyond, the kernels of `torch` fill their tiles.
LONGEST = 32
PRECISIONS = (torch.float16, torch.bfloat16, torch.float32)


def attention_forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers asks for it, by the kernels of this package where they are faster.

    These are for sequences of at most 32 elements in 16 or 32 bits on a CUDA device, without a mask. Everything else
    is left to `scaled_dot_product_attention`, as with `attn_implementation="sdpa"`.

    Parameters
    ----------
    module : torch.nn.Module
        What attends.
    query, key, value : torch.Tensor of shape (num_sequences, num_heads, length, head_dim)
        Of one precision.
    attention_mask : torch.Tensor or None
        As `scaled_dot_product_attention` takes it.
    dropout : float
        Share of the weights that become 0.
    scaling : float or None
        Factor of the scores; `head_dim ** -0.5` if absent.
    **kwargs
        For `scaled_dot_product_attention` of transformers.

    Returns
    -------
    tuple
        Output of shape (num_sequences, length, num_heads, head_dim), and `None` for the weights.

    Raises
    ------
    ImportError
        There is no Triton, which the kernels are written in.
    """
    num_sequences, num_heads, length, head_dim = query.shape
    is_short = length <= LONGEST and attention_mask is None and query.dtype in PRECISIONS
    if query.device.type != "cuda" or not is_short:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    attend = _kernels()
    # Views where the heads are parts of one row, as projections give them.
    rows = [each.transpose(1, 2).reshape(num_sequences * length, num_heads * head_dim) for each in (query, key, value)]
    # Drawn here, so that gradient checkpointing draws it again.
    seed = torch.randint(2**31 - 1, (1,), device=query.device)
    output = attend(*rows, seed, length, num_heads, head_dim**-0.5 if scaling is None else scaling, dropout)
    return output.view(num_sequences, length, num_heads, head_dim), None


def _kernels() -> Any:
    try:
        from .short_attention_kernels import attend
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise ImportError(
            f'attn_implementation="{NAME}" needs Triton, which is not installed: install a PyTorch for CUDA, which '
            'brings it (or pip install triton), or take attn_implementation="sdpa".'
        ) from None
    return attend
