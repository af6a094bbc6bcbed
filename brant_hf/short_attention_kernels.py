"""Kernels in Triton for the attention of short sequences, forward and backward.

The rows of a tile are as many whole sequences as fit; scores between rows of different sequences are left out. A tile
holds all keys of its queries, so a program has the weights as soon as it has the scores: the backward pass computes
them again from queries and keys, and nothing but these, the values and a seed is kept for it.
"""

# No `from __future__ import annotations`: `custom_op` reads the types of its arguments.
import torch
import triton
import triton.language as tl

# `tl.dot` wants as many rows and columns.
SMALLEST_TILE = 16


@triton.jit
def _softmax(query, key, rows, inside, length, scaling, PRECISION: tl.constexpr):
    """Weights of a tile, of shape (rows, rows); 0 between sequences."""
    scores = tl.dot(query, tl.trans(key), input_precision=PRECISION) * scaling
    same = (rows[:, None] // length == rows[None, :] // length) & inside[None, :]
    # A row outside of the signal has no keys; its scores must not all be -inf.
    scores = tl.where(same | (rows[:, None] == rows[None, :]), scores, float("-inf"))
    weights = tl.exp(scores - tl.max(scores, 1)[:, None])
    return weights / tl.sum(weights, 1)[:, None]


@triton.jit
def _kept(seed, rows, ROWS: tl.constexpr, dropout):
    """1 / (1 - dropout) where a weight is kept, else 0."""
    # Each program has a stretch of the random numbers of the seed.
    first = tl.program_id(0) * ROWS * ROWS
    drawn = tl.rand(tl.load(seed), first + rows[:, None] * ROWS + rows[None, :])
    return tl.where(drawn >= dropout, 1 / (1 - dropout), 0.0)


@triton.jit
def _tile(num_rows, rows_of_tile, num_heads, head_dim, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows of this program, which of them are there, the places of their elements, and which of those are there."""
    tile, head = tl.program_id(0) // num_heads, tl.program_id(0) % num_heads
    rows, columns = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    first = tile.to(tl.int64) * rows_of_tile
    inside = (rows < rows_of_tile) & (first + rows < num_rows)
    places = (first + rows)[:, None] * (num_heads * head_dim) + head * head_dim + columns[None, :]
    return rows, inside, places, inside[:, None] & (columns < head_dim)[None, :]


@triton.jit
def _forward(
    query_pointer, key_pointer, value_pointer, output_pointer, seed,
    num_rows, rows_of_tile, length, num_heads, head_dim, scaling, dropout,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    rows, inside, places, real = _tile(num_rows, rows_of_tile, num_heads, head_dim, ROWS, COLUMNS)
    query = tl.load(query_pointer + places, real, 0.0)
    key = tl.load(key_pointer + places, real, 0.0)
    value = tl.load(value_pointer + places, real, 0.0)
    weights = _softmax(query, key, rows, inside, length, scaling, PRECISION)
    if DROPS:
        weights *= _kept(seed, rows, ROWS, dropout)
    output = tl.dot(weights.to(value.dtype), value, input_precision=PRECISION)
    tl.store(output_pointer + places, output.to(value.dtype), real)


@triton.jit
def _backward(
    query_pointer, key_pointer, value_pointer, gradient_pointer,
    query_gradient_pointer, key_gradient_pointer, value_gradient_pointer, seed,
    num_rows, rows_of_tile, length, num_heads, head_dim, scaling, dropout,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DROPS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    rows, inside, places, real = _tile(num_rows, rows_of_tile, num_heads, head_dim, ROWS, COLUMNS)
    query = tl.load(query_pointer + places, real, 0.0)
    key = tl.load(key_pointer + places, real, 0.0)
    value = tl.load(value_pointer + places, real, 0.0)
    gradient = tl.load(gradient_pointer + places, real, 0.0)
    weights = _softmax(query, key, rows, inside, length, scaling, PRECISION)
    weight_gradient = tl.dot(gradient, tl.trans(value), input_precision=PRECISION)
    used = weights
    if DROPS:
        kept = _kept(seed, rows, ROWS, dropout)
        used = weights * kept
        weight_gradient *= kept
    value_gradient = tl.dot(tl.trans(used.to(value.dtype)), gradient, input_precision=PRECISION)
    tl.store(value_gradient_pointer + places, value_gradient.to(value.dtype), real)
    mean = tl.sum(weights * weight_gradient, 1)
    score_gradient = (weights * (weight_gradient - mean[:, None]) * scaling).to(value.dtype)
    query_gradient = tl.dot(score_gradient, key, input_precision=PRECISION)
    tl.store(query_gradient_pointer + places, query_gradient.to(value.dtype), real)
    key_gradient = tl.dot(tl.trans(score_gradient), query, input_precision=PRECISION)
    tl.store(key_gradient_pointer + places, key_gradient.to(value.dtype), real)


def _launch(kernel, tensors, seed, length: int, num_heads: int, scaling: float, dropout: float) -> None:
    num_rows, width = tensors[0].shape
    head_dim = width // num_heads
    tile = max(SMALLEST_TILE, triton.next_power_of_2(length))
    rows_of_tile = tile // length * length
    grid = (triton.cdiv(num_rows, rows_of_tile) * num_heads,)
    # Triton launches on the current device, which need not be that of the tensors.
    with torch.cuda.device_of(tensors[0]):
        kernel[grid](
            *tensors, seed, num_rows, rows_of_tile, length, num_heads, head_dim, scaling, dropout,
            ROWS=tile,
            COLUMNS=max(SMALLEST_TILE, triton.next_power_of_2(head_dim)),
            DROPS=dropout > 0,
            # Products in fp32 are that, not in TF32.
            PRECISION="ieee" if tensors[0].dtype == torch.float32 else "tf32",
            num_warps=2 if tile == SMALLEST_TILE else 4,
        )  # fmt: skip


@torch.library.custom_op("brant_hf::short_attention", mutates_args=())
def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    seed: torch.Tensor,
    length: int,
    num_heads: int,
    scaling: float,
    dropout: float,
) -> torch.Tensor:
    """Attention within sequences of `length` rows, which follow each other.

    Parameters
    ----------
    query, key, value : torch.Tensor of shape (num_sequences * length, num_heads * head_dim)
        On a CUDA device.
    seed : torch.Tensor of shape (1,)
        An integer that tells which weights are dropped.
    length, num_heads : int
        Rows of a sequence, parts of a row.
    scaling, dropout : float
        Factor of the scores, share of the weights that become 0.

    Returns
    -------
    torch.Tensor
        Of the shape of `query`.
    """
    query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
    output = torch.empty_like(query)
    _launch(_forward, (query, key, value, output), seed, length, num_heads, scaling, dropout)
    return output


@attend.register_fake
def _(query, *_):
    return torch.empty_like(query, memory_format=torch.contiguous_format)


@torch.library.custom_op("brant_hf::short_attention_backward", mutates_args=())
def _attend_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    seed: torch.Tensor,
    length: int,
    num_heads: int,
    scaling: float,
    dropout: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
    gradients = torch.empty_like(query), torch.empty_like(query), torch.empty_like(query)
    tensors = (query, key, value, gradient.contiguous(), *gradients)
    _launch(_backward, tensors, seed, length, num_heads, scaling, dropout)
    return gradients


@_attend_backward.register_fake
def _(gradient, query, *_):
    empty = [torch.empty_like(query, memory_format=torch.contiguous_format) for _ in range(3)]
    return empty[0], empty[1], empty[2]


def _keep(ctx, inputs, output) -> None:
    query, key, value, seed, *ctx.settings = inputs
    ctx.save_for_backward(query, key, value, seed)


def _differentiate(ctx, gradient):
    return (*_attend_backward(gradient, *ctx.saved_tensors, *ctx.settings), None, None, None, None, None)


attend.register_autograd(_differentiate, setup_context=_keep)
