"""What a GPU would be asked for: few launches outside of recorded passes, small passes, and one wait for a choice."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.model import lending, rope
from engine.model.banks import FEWEST, Banks
from engine.model.graphs import Pass
from engine.model.memory_bank import CANDIDATES
from engine.model.rollout import STRIDE, Rollout, _few
from tests.conftest import TOY, random_model
from tests.model import tape

HISTORY, COUNTED = 60, 12  # steps: until all is recorded, and a whole number of rings
NO_KERNEL = ("_unsafe_view", "empty", "empty_like", "new_empty", "empty_strided", "lift_fresh")
# Operators of each pass of the toy, whose generator has 2 layers. A limit that a change goes beyond is a slower step.
LARGEST = {"_look": 40, "_choose": 80, "_imagine": 417, "_commit": 189, "_show": 68, "_decode": 30, "_rewrite": 141}
LARGEST["_judge"] = 227  # once a block
SWEEP = 106  # what a sweep adds to a commit
LEVEL = 37  # what the ground's height adds to a choice
SHAPE = {"_imagine": 7, "_commit": 11}  # what is added by foretelling how near a frame is, and by keeping to that
WAITING = ("cpu", "item", "tolist", "numpy", "nonzero", "__bool__", "__int__", "__float__", "__index__")


class Launches(TorchDispatchMode):
    """Counts operators that a GPU would launch a kernel for; those of passes recorded by `record` apart."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.replayed, self.inside, self.recording = 0, 0, False, False
        self.sizes: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found += not self.inside and launches(func)
        return func(*args, **(kwargs or {}))

    def record(
        self, run: Pass, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[Callable[[], object], tuple[torch.Tensor, ...]]:
        self.inside = True
        run(*inputs)
        with torch.no_grad(), tape.Tape() as made:
            results = run(*inputs)
        self.inside = False
        name = getattr(run, "func").__name__  # noqa: B009
        self.sizes[name] = max(
            self.sizes[name], sum(kernels(func, args[0], held) for func, args, _, held in made.calls)
        )

        def replay() -> None:
            self.inside, self.replayed = True, self.replayed + 1
            made.replay()
            self.inside = False

        return replay, results


def launches(func: Any) -> bool:
    return not (func.is_view or func._overloadpacket.__name__ in NO_KERNEL)


def kernels(func: Any, given: Any, made: list[torch.Tensor]) -> int:
    """Of tensors with more than four axes, a GPU joins one after the other."""
    joins = func._overloadpacket.__name__ in ("cat", "stack") and made[0].dim() > 4
    return len(given) if joins else launches(func)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Launches:
    counter = Launches()
    monkeypatch.setattr(lending, "capture_on", lambda device: counter.record)
    monkeypatch.setattr(rope, "_by_matrices", lambda device: False)  # as on a GPU
    monkeypatch.setattr(Banks, "_places", lambda banks, count: max(FEWEST, 1 << (count - 1).bit_length()))
    return counter


def begun(batch: int, sweep: bool = True) -> Rollout:
    random = torch.Generator().manual_seed(1)
    model = random_model(settings=dataclasses.replace(TOY, sweep=sweep))
    rollout = Rollout(model, batch, [1.0, 0.0], range(batch), graphs=True)
    rollout.start(torch.randn(batch, 3, *TOY.latent_shape, generator=random), torch.zeros(batch, 3, 3),
                  torch.zeros(batch, 3, 4))  # fmt: skip
    return rollout


def step(rollout: Rollout, index: int) -> None:
    """As play does; every sixth frame somewhere else, so that slots change and positions are measured anew."""
    action = torch.zeros(rollout.batch, 3)
    latent, pose = rollout.propose(action)
    rollout.decode(latent)
    rollout.observe(latent, action, pose if index % 6 else pose + torch.tensor([1.5, 0.5, 0.4, 0.0]))
    rollout.draw_ahead()


@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_few_launches_lie_outside_of_recorded_passes(batch: int, sweep: bool, counter: Launches) -> None:
    rollout = begun(batch, sweep)
    for index in range(HISTORY):
        step(rollout, index)
    counter.replayed = 0
    with counter:
        for index in range(HISTORY, HISTORY + COUNTED):
            step(rollout, index)
    assert counter.found / COUNTED <= 27 + batch
    assert counter.replayed / COUNTED <= 8
    more = Counter(SHAPE) + Counter({"_commit": SWEEP * sweep, "_choose": LEVEL})
    most = {name: limit + more[name] for name, limit in LARGEST.items()}
    for name, limit in most.items():
        assert 0 < counter.sizes[name] <= limit * (1 if name != "_show" or batch > 1 else TOY.memory_entries), name
    recorded = Counter(key[0] for key in rollout.passes.graphs.graphs if isinstance(key, tuple))
    assert recorded["_commit"] <= 4 and recorded["_imagine"] == recorded["_look"] == 1, "one for all places of the ring"


@torch.no_grad()
def test_the_host_waits_once_for_a_choice(counter: Launches, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = begun(1)
    for index in range(HISTORY):
        step(rollout, index)
    waits: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        original = getattr(torch.Tensor, name)

        def wait(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if not counter.inside:
                waits.append(name)
            return original(self, *args, **kwargs)

        return wait

    for name in WAITING:
        monkeypatch.setattr(torch.Tensor, name, noted(name))
    for index in range(HISTORY, HISTORY + 6):
        waits.clear()
        step(rollout, index)
        assert waits == ["cpu", "numpy"], "the choice, and what of it is then on the host"
    bank = rollout.banks[0]
    while bank.num_entries <= CANDIDATES:
        bank.put(bank.rows[0])
    bank.cells()  # reads the poses of all those off the device
    for index in range(HISTORY + 6, HISTORY + 12):
        rollout.here = rollout.pose, rollout.pose.tolist()  # as it comes with a frame
        waits.clear()
        step(rollout, index)
        assert waits == ["cpu", "numpy"], "once there are many, no more"
    waits.clear()
    rollout.propose(torch.zeros(1, 3))
    assert waits == ["tolist", "cpu", "numpy"], "where the camera is, if that is not known"


def test_few_numbers_of_entries_are_shown_at_once() -> None:
    counts = np.arange(1, 257)
    shown = np.array([_few(int(count)) for count in counts])
    assert (shown >= counts).all() and (shown - counts < np.maximum(counts, STRIDE)).all()
    assert (shown - counts)[counts > STRIDE].max() < STRIDE and len({*shown.tolist()}) <= 13
