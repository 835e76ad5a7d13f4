"""What a training resumes from: one safetensors file with weights, averages, and what every optimiser keeps."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import CheckpointError

log = logging.getLogger(__name__)


class Learner(Protocol):
    """A network that learns beside the one that is trained, with optimisers of its own."""

    @property
    def learnt(self) -> Sequence[Tensor]:
        """Its parameters."""
        ...

    @property
    def optimisers(self) -> Sequence[torch.optim.Optimizer]: ...


def state_file(out: Path | str, stage: str) -> Path:
    """Where a stage's state is."""
    return Path(out) / f"{stage}.state"


def write(
    path: Path, meta: dict[str, str], main: Learner, ema: Sequence[Tensor], beside: Mapping[str, Learner]
) -> None:
    """Write a state; a reader sees the old one or the new one. `beside`: other learners, by name."""
    tensors = _packed("", main) | {f"ema.{index}": p for index, p in enumerate(ema)}
    for name, learner in beside.items():
        tensors |= _packed(f"{name}/", learner)
    part = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, meta)
    part.replace(path)


def read(
    path: Path, device: torch.device, main: Learner, ema: Sequence[Tensor], beside: Mapping[str, Learner]
) -> dict[str, str]:
    """Restore a state in place; its `meta`. Those beside that an earlier version did not keep begin anew.

    Raises CheckpointError for a file that is no state of this training.
    """
    try:
        with safe_open(path, "pt") as opened:
            meta = opened.metadata() or {}
        tensors = load_file(path, device=str(device))
        _unpack("", main, tensors)
        with torch.no_grad():
            for index, average in enumerate(ema):
                average.copy_(tensors[f"ema.{index}"])
        for name, learner in beside.items():
            if any(key.startswith(f"{name}/") for key in tensors):
                _unpack(f"{name}/", learner, tensors)
            else:
                log.warning("the %s begins anew: %s does not hold it", name, path)
        return {"step": str(int(meta["step"])), "spent": str(float(meta["spent"]))}
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise CheckpointError(f"{path} does not hold this training ({what}); resume=false begins anew") from error


def _packed(prefix: str, learner: Learner) -> dict[str, Tensor]:
    tensors = {f"{prefix}param.{index}": p.detach() for index, p in enumerate(learner.learnt)}
    for index, optimiser in enumerate(learner.optimisers):
        for number, state in optimiser.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{prefix}opt.{index}.{number}.{key}"] = torch.as_tensor(value)
    return tensors


def _unpack(prefix: str, learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for index, parameter in enumerate(learner.learnt):
            parameter.copy_(tensors[f"{prefix}param.{index}"])
    for index, optimiser in enumerate(learner.optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"{prefix}opt.{index}."):
                number, key = name.removeprefix(f"{prefix}opt.{index}.").split(".")
                state.setdefault(int(number), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
