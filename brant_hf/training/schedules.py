"""Learning rate schedules of the paper, as factors of each group's learning rate."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

SCHEDULES = ("cyclic", "multistep")
CYCLE_STEPS = 8000
CYCLE_FLOOR = 0.3
MILESTONES = (0.25, 0.5, 0.75)
MILESTONE_FACTOR = 0.1


def cyclic_factor(step: int, period: int = CYCLE_STEPS, floor: float = CYCLE_FLOOR) -> float:
    """Triangular wave from `floor` up to 1 and back in `period` steps: 3e-6 to 1e-5 over 8000 steps in the paper."""
    position = step % period / period
    return floor + (1 - floor) * (1 - abs(2 * position - 1))


def multistep_factor(step: int, milestones: tuple[float, ...], factor: float = MILESTONE_FACTOR) -> float:
    """`factor` to the power of the number of `milestones` (steps) that have passed."""
    return factor ** bisect_right(milestones, step)


def make_schedule(name: str, optimizer: Optimizer, num_training_steps: int) -> LambdaLR:
    """Return a schedule of the paper.

    Parameters
    ----------
    name : str
        `"cyclic"` (pre-training), or `"multistep"` (fine-tuning): times 0.1 after each quarter of the training, which
        for the 20 epochs of the paper is after epochs 5, 10 and 15.
    optimizer : Optimizer
        Whose groups hold the learning rates to multiply.
    num_training_steps : int
        Length of the training.

    Raises
    ------
    ValueError
        There is no such schedule.
    """
    if name not in SCHEDULES:
        raise ValueError(f"the schedule is {name!r}; choose {' or '.join(SCHEDULES)}")
    if name == "cyclic":
        return LambdaLR(optimizer, cyclic_factor)
    milestones = tuple(fraction * num_training_steps for fraction in MILESTONES)
    return LambdaLR(optimizer, partial(multistep_factor, milestones=milestones))
