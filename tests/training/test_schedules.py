"""The learning rates of the paper."""

import io

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, MultiStepLR

from brant_hf.training.schedules import make_schedule


def _optimizer(*learning_rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in learning_rates])


def _rates(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[list[float]]:
    """Learning rates of each group before each step."""
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr())
        schedule.optimizer.step()
        schedule.step()
    return rates


def test_cyclic_goes_from_3e_6_to_1e_5_and_back_in_8000_steps():
    rates = [rate for (rate,) in _rates(make_schedule("cyclic", _optimizer(1e-5), 750_000), 12_001)]
    assert [rates[step] for step in (0, 4000, 8000, 12_000)] == pytest.approx([3e-6, 1e-5, 3e-6, 1e-5])
    assert rates[1000] == pytest.approx(3e-6 + 7e-6 / 4)


def test_cyclic_is_that_of_torch():
    expected = CyclicLR(_optimizer(1e-5), base_lr=3e-6, max_lr=1e-5, step_size_up=4000, cycle_momentum=False)
    rates = _rates(make_schedule("cyclic", _optimizer(1e-5), 1), 9000)
    assert rates[::250] == [pytest.approx(each) for each in _rates(expected, 9000)[::250]]


def test_multistep_drops_both_rates_after_each_quarter():
    rates = _rates(make_schedule("multistep", _optimizer(1e-7, 1e-4), 40), 40)
    steps = (0, 9, 10, 19, 20, 29, 30, 39)
    factors = (1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001)
    assert [rates[step][0] for step in steps] == pytest.approx([1e-7 * factor for factor in factors])
    assert [rates[step][1] for step in steps] == pytest.approx([1e-4 * factor for factor in factors])


def test_multistep_of_20_epochs_is_that_of_the_paper():
    """One step is an epoch here: times 0.1 at epochs 5, 10 and 15."""
    expected = MultiStepLR(_optimizer(1e-4), milestones=[5, 10, 15], gamma=0.1)
    rates = _rates(make_schedule("multistep", _optimizer(1e-4), 20), 20)
    assert rates == [pytest.approx(each) for each in _rates(expected, 20)]


@pytest.mark.parametrize("name", ["cyclic", "multistep"])
def test_schedule_goes_on_from_its_state(name):
    whole = _rates(make_schedule(name, _optimizer(1e-4), 20), 20)
    first = make_schedule(name, _optimizer(1e-4), 20)
    _rates(first, 12)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = make_schedule(name, _optimizer(1e-4), 20)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert _rates(second, 8)[1:] == [pytest.approx(each) for each in whole[13:]]


def test_unknown_schedule():
    with pytest.raises(ValueError, match="choose cyclic or multistep"):
        make_schedule("linear", _optimizer(1e-4), 10)
