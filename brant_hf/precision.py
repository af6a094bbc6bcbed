"""Which precision a model works in, and what a CPU is good at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .user_warnings import warn

if TYPE_CHECKING:
    import torch

# Models with as many parameters, as every size of the paper, spend their time in products of matrices.
LARGE_MODEL = 50_000_000
# Names of `torch.cpu.get_capabilities`: x86 (two) and ARM.
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


def has_fast_bfloat16() -> bool | None:
    """Whether this CPU has instructions for bfloat16; `None` where this PyTorch does not tell."""
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)
    return None if capabilities is None else any(capabilities().get(name) for name in _BFLOAT16)


def best_device() -> torch.device:
    """Return the accelerator of this machine, of several that of this process (`LOCAL_RANK`), or its CPU."""
    import torch

    # Checked, since builds of PyTorch for CUDA name their device also where there is no driver.
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        return torch.device("cpu")
    rank = os.environ.get("LOCAL_RANK", "")
    return torch.device(found.type, int(rank)) if rank.isdecimal() and torch.accelerator.device_count() > 1 else found


def usable_device(given: str | torch.device) -> torch.device:
    """Return the device that somebody names.

    Raises
    ------
    ValueError
        It cannot be used here.
    """
    import torch

    try:
        device = torch.device(given)
        torch.zeros(1, device=device).cpu()  # "meta" has no values
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device is {given!r}, which cannot be used here ({reason}); expected 'cpu', or an accelerator of this "
            "machine, such as 'cuda' or 'mps'"
        ) from error
    return device


def working_dtype(asked: torch.dtype | str | None, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """Precision to work in: what is asked for, else fp32, or bfloat16 where a checkpoint is stored so off a CPU.

    Parameters
    ----------
    asked : torch.dtype, str or None
        A floating-point type; `"int8"` for weights in 8 bits, on a CPU; `None` or `"auto"` to choose.
    stored : torch.dtype
        That of the checkpoint.
    device : torch.device
        Where the model works.

    Raises
    ------
    ValueError
        `asked` is none of these.
    """
    import torch

    if asked in (None, "auto"):
        # Half precision is how small checkpoints are stored; CPUs are slow in it, and its range is narrow.
        return stored if stored == torch.bfloat16 and device.type != "cpu" else torch.float32
    dtype = getattr(torch, asked, None) if isinstance(asked, str) else asked
    if not (isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype == torch.int8)):
        raise ValueError(f"dtype is {asked!r}; expected 'float32', 'bfloat16', 'int8' or another floating-point type")
    if dtype == torch.int8 and device.type != "cpu":
        raise ValueError(f"dtype is 'int8', which works on a CPU, and the device is {device}; use 'bfloat16'")
    return dtype


def fastest_dtype(asked: torch.dtype | str | None, model: Any, device: torch.device) -> torch.dtype | str | None:
    """Return bfloat16 in place of no wish, for a large model on a CPU that has instructions for it."""
    import torch

    if asked not in (None, "auto") or device.type != "cpu" or not has_fast_bfloat16():
        return asked
    return torch.bfloat16 if model.num_parameters() >= LARGE_MODEL else asked


def set_precision(model: Any, asked: torch.dtype | str | None, device: torch.device) -> None:
    """Bring a model to a device and into the precision of `working_dtype`, with a warning of one that is slow there.

    Raises
    ------
    ValueError
        The precision is none that the model can work in there.
    """
    import torch

    from .quantization_brant import is_int8, to_int8

    if is_int8(model):
        if asked not in (None, "auto", "int8", torch.int8) or device.type != "cpu":
            raise ValueError(f"dtype is {asked!r} on {device}, and the model has weights in 8 bits; load it with that")
        return
    dtype = working_dtype(asked, model.dtype, device)
    if device.type == "cpu" and dtype == torch.bfloat16 and has_fast_bfloat16() is False:
        warn(
            "dtype is bfloat16, which this CPU has no instructions for, so the model may be many times slower than in "
            "float32; leave it out, or take int8 for a large model"
        )
    if dtype != torch.int8:
        # Not `model.to`, which notes the precision in the configuration.
        torch.nn.Module.to(model, device=device, dtype=dtype)
        return
    if hasattr(model, "get_base_model"):
        raise ValueError("dtype is 'int8', and the model has adapters; merge them first (model.merge_and_unload())")
    to_int8(torch.nn.Module.to(model, device=device))


def precision_in_words(model: Any) -> str:
    """Name of the precision that a model works in."""
    from .quantization_brant import is_int8

    return "int8" if is_int8(model) else str(model.dtype).removeprefix("torch.")
