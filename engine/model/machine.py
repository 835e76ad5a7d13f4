"""The machine: which device the network runs on, in which type of number, and how numbers reach it and come back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.errors import ConfigError

T = TypeVar("T")
compilers_take_kept = False  # set by compiled.py


def find_device(name: str) -> torch.device:
    """The device called "auto", "cpu", "cuda" or "cuda:N". Raises ConfigError if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} is not there: PyTorch finds no GPU; use device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} is not there: there are {torch.cuda.device_count()} GPUs, from cuda:0")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}")
    return device


def number_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16
    native = has_tiles() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def has_tiles() -> bool:
    """Whether this processor multiplies bfloat16 in tiles (AMX): products then take less than what surrounds them."""
    return torch.cpu._is_amx_tile_supported()


def kept(make: Callable[..., T]) -> Callable[..., T]:
    """Have tensors that follow from plain values and a device alone made once, in place of at every call.

    With gradients, or in a compiler, they are made anew: what is kept must be no part of a graph. Compilers of play
    are given those that were kept before: what they make of the host's numbers cannot be recorded (graphs.py).
    """
    held: dict[tuple[Any, ...], T] = {}  # and never dropped: recorded passes read it where it is

    @functools.wraps(make)
    def get(*values: Any) -> T:
        anew = torch.compiler.is_compiling() and not (compilers_take_kept and values in held)
        if torch.is_grad_enabled() or anew:
            return make(*values)
        if values not in held:
            with torch.inference_mode(False):
                held[values] = make(*values)
        return held[values]

    return get


def constant(values: tuple[float, ...] | tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    """These numbers on the device and in the type of `like`, sent there once: sending has the host wait for a GPU."""
    return _constant(values, like.device, like.dtype)


@kept
def _constant(
    values: tuple[float, ...] | tuple[tuple[float, ...], ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    return torch.tensor(values, device=device, dtype=dtype)


def send(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on the device. The host does not wait for it; on a CPU it is the array's own memory."""
    return torch.from_numpy(array).to(device, non_blocking=True)


class Fetch:
    """Tensors on their way to the host, while the device goes on with what it is given afterwards."""

    streams: dict[torch.device, torch.cuda.Stream] = {}  # of each GPU, one that only copies

    def __init__(self, *tensors: Tensor) -> None:
        self.arrived: torch.cuda.Event | None = None
        self.tensors = tensors
        if tensors[0].is_cuda:
            self._begin(tensors[0].device)

    def wait(self) -> tuple[Tensor, ...]:
        """The tensors in the host's memory."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.tensors

    def _begin(self, device: torch.device) -> None:
        if device not in self.streams:
            self.streams[device] = torch.cuda.Stream(device)
        stream = self.streams[device]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            pinned = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in self.tensors]
            for here, there in zip(pinned, self.tensors, strict=True):
                here.copy_(there, non_blocking=True)
                there.record_stream(stream)
            self.arrived = torch.cuda.Event()
            self.arrived.record(stream)
        self.tensors = tuple(pinned)


def sample_in_parts(picture: Tensor, places: Tensor, parts: int) -> Tensor:
    """The pixels of a picture [3, height, width] at n by m places [n, m, 2], as `F.grid_sample` counts: [n, 3, m].

    As so many pictures that are one and the same: a CPU samples each of a batch on one thread alone.
    """
    count = -(-len(places) // parts)
    if missing := parts * count - len(places):
        places = F.pad(places, (0, 0, 0, 0, 0, missing))
    split, pictures = places.unflatten(0, (parts, count)), picture.expand(parts, *picture.shape)
    found = F.grid_sample(pictures, split, padding_mode="border", align_corners=False)
    return found.transpose(1, 2).flatten(0, 1)[: parts * count - missing]
