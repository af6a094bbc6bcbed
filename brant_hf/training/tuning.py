"""Which parameters are trained: all, the head, low-rank adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

if TYPE_CHECKING:
    from peft import PeftModel

ADAPTED_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]


def apply_tuning(
    model: PreTrainedModel, tuning: str, *, lora_rank: int = 8, lora_alpha: float = 16.0
) -> PreTrainedModel | PeftModel:
    """Make a model ready for a way of tuning.

    Parameters
    ----------
    model : PreTrainedModel
        A Brant model with a head.
    tuning : str
        `"full"` and `"temporal"` train every parameter (the temporal encoder alone is a matter of
        `num_spatial_layers=0` when the model is loaded); `"frozen"` the head alone, as Brant-Freeze of the paper;
        `"lora"` low-rank adapters of all linear layers of the encoder, and the head.
    lora_rank, lora_alpha : int, float
        Of the adapters.

    Returns
    -------
    PreTrainedModel or PeftModel
        The model itself, or with `"lora"` a `PeftModel` around it.

    Raises
    ------
    ImportError
        `"lora"` without peft.
    """
    if tuning == "frozen":
        model.base_model.requires_grad_(False)
    if tuning != "lora":
        return model
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise ImportError("--tuning lora needs peft: pip install peft") from None
    heads = [name for name, _ in model.named_children() if name != model.base_model_prefix]
    encoder_only = rf"{model.base_model_prefix}\..*\.({'|'.join(ADAPTED_MODULES)})"
    config = LoraConfig(
        r=lora_rank,
        lora_alpha=lora_alpha,  # type: ignore[arg-type]
        target_modules=encoder_only,
        modules_to_save=heads,
    )
    return get_peft_model(model, config)


def merged(model: Any) -> PreTrainedModel:
    """Return the plain Brant model, with adapters merged into its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
