"""A recording of operators for a CPU that behaves as a CUDA graph does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.model.graphs import Pass

WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "item", "equal", "lift_fresh", "masked_select")


class Tape(TorchDispatchMode):
    """Holds every operator with the very tensors and numbers it was given, and the tensors that it made.

    Refuses operators that would have the host wait for a GPU, or send it numbers: a graph cannot hold them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._overloadpacket.__name__
        masks = name.startswith("index") and any(index.dtype == torch.bool for index in tensors(args[1]))
        assert name not in WAITS and not masks, f"{name} cannot be recorded"
        made = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, tensors(made)))
        return made

    def replay(self) -> None:
        """Do it all again, in place."""
        for func, args, kwargs, held in self.calls:
            for old, new in zip(held, tensors(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def tensors(made: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]


def record(run: Pass, inputs: tuple[Tensor, ...]) -> tuple[Callable[[], object], tuple[Tensor, ...]]:
    """As `engine.model.graphs.Recorder`, but that recording runs the pass as well."""
    run(*inputs)
    with torch.no_grad(), Tape() as tape:
        results = run(*inputs)
    return tape.replay, results
