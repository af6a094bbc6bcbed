"""Losses other than those of the models."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from transformers import EvalPrediction

from brant_hf.training import FrequencyPhaseLoss, FrequencyPhaseMetrics, WeightedDetectionLoss, parse_class_weights


@pytest.fixture
def logits() -> torch.Tensor:
    """Of 2 windows with 3 channels and 4 patches."""
    return torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.randint(2, (2, 3, 4), generator=torch.Generator().manual_seed(1))
    labels[0, 1] = labels[1, :, 2] = -100
    return labels


@pytest.mark.parametrize("weights", [None, (1.0, 1.0), (0.3, 7.0)])
def test_weighted_loss_is_that_of_torch(logits, labels, weights):
    loss = WeightedDetectionLoss(weights)({"logits": logits}, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    reference = nn.CrossEntropyLoss(weight=None if weights is None else torch.tensor(weights), ignore_index=-100)
    expected = reference(logits.flatten(0, 2), labels.flatten())
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


def test_focal_loss_by_hand():
    """Seizure probabilities 0.75 of a seizure and 0.2 of background, and a patch without a label."""
    logits = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0], [5.0, 0.0]]).reshape(1, 1, 3, 2)
    labels = torch.tensor([[[1, 0, -100]]])
    easy, easier = -((1 - 0.75) ** 2) * math.log(0.75), -((1 - 0.8) ** 2) * math.log(0.8)
    loss = WeightedDetectionLoss(focal_gamma=2.0)({"logits": logits}, labels)
    assert loss.item() == pytest.approx((easy + easier) / 2)
    loss = WeightedDetectionLoss((1.0, 3.0), focal_gamma=2.0)({"logits": logits}, labels)
    assert loss.item() == pytest.approx((3 * easy + easier) / 4)


def test_half_precision_logits_are_summed_in_single_precision(logits, labels):
    loss = WeightedDetectionLoss((1.0, 5.0))({"logits": logits.bfloat16()}, labels)
    expected = WeightedDetectionLoss((1.0, 5.0))({"logits": logits.bfloat16().float()}, labels)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_batch_without_labels_has_no_loss_and_no_gradient(logits, labels, gamma):
    loss = WeightedDetectionLoss((1.0, 5.0), gamma)({"logits": logits}, torch.full_like(labels, -100))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize(("weights", "gamma", "message"), [((1.0, 0.0), 0.0, "greater than 0"), (None, -1.0, "0 or")])
def test_loss_refuses_bad_settings(weights, gamma, message):
    with pytest.raises(ValueError, match=message):
        WeightedDetectionLoss(weights, gamma)


# 6 background and 2 seizure patches, 3 without a label.
LABELS = [np.array([[0, 0, 1, -100], [0, 0, 0, -100]], np.int8), np.array([[0, 1, -100]], np.int8)]


def test_balanced_weights_give_both_classes_the_same_total():
    background, seizure = parse_class_weights("balanced", iter(LABELS))
    assert (background, seizure) == pytest.approx((8 / (2 * 6), 8 / (2 * 2)))
    assert 6 * background == pytest.approx(2 * seizure)


def test_sqrt_weights_are_the_roots_of_the_balanced_ones():
    assert parse_class_weights("sqrt", LABELS) == pytest.approx((math.sqrt(2 / 3), math.sqrt(2)))


def test_given_weights_need_no_labels():
    def unreadable():
        raise AssertionError("labels were read")
        yield

    assert parse_class_weights("1,5.5", unreadable()) == (1.0, 5.5)
    assert parse_class_weights(None, unreadable()) is None


@pytest.mark.parametrize("text", ["many", "1", "1,2,3", "", "1,x"])
def test_other_weights_are_refused(text):
    with pytest.raises(ValueError, match="--class_weights"):
        parse_class_weights(text, LABELS)


def test_the_loss_of_frequency_and_phase_is_what_the_metrics_measure():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(2, 3, 200, generator=generator)
    labels[1, 2] = -100  # padding
    frequency = torch.rand(2, 3, generator=generator) / 2
    phase = torch.randn(2, 3, 200, generator=generator, requires_grad=True)
    metrics = FrequencyPhaseMetrics()
    reduced = metrics.reduce((frequency, phase.detach()), labels)
    measured = metrics(EvalPrediction(predictions=reduced, label_ids=labels), True)
    loss = FrequencyPhaseLoss()({"frequency": frequency, "phase": phase}, labels)
    assert loss.item() == pytest.approx(100 * measured["frequency_mae"] + 1 - measured["plv"], abs=1e-4)
    (gradient,) = torch.autograd.grad(loss, phase)
    assert gradient.isfinite().all()
    assert not gradient[1, 2].any()


def test_no_locking_at_all_has_a_finite_gradient():
    phase = torch.zeros(1, 1, 200, requires_grad=True)
    signal = torch.sin(2 * math.pi * torch.arange(200) / 20)[None, None]
    loss = FrequencyPhaseLoss()({"frequency": torch.tensor([[0.05]]), "phase": phase}, signal)
    assert loss.item() == pytest.approx(1, abs=0.01)
    assert torch.autograd.grad(loss, phase)[0].isfinite().all()
