"""The state of a session as named tensors for a file, and back: every shape, type and range is checked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import SaveError
from engine.model import pose as poses
from engine.model.entry import pack as pack_entries
from engine.model.memory import quantise, words
from engine.model.memory_bank import BUFFERS, MemoryBank
from engine.model.moments import Moment
from engine.model.settings import ModelSettings

Named = dict[str, Tensor]
FLOATS = (torch.float32, torch.bfloat16)
PARTS = ("latent", "action", "motion", "pose", "anchor", "nearness")  # of moments, tensors with a row for each


def pack(moments: Sequence[Moment], bank: MemoryBank, frame: np.ndarray) -> Named:
    """Tensors that hold the last moments of a session, its bank and its last frame, uint8 [height, width, 3]."""
    count = moments[-1].num_entries
    packed = {f"moments.{part}": torch.cat([getattr(moment, part) for moment in moments]) for part in PARTS}
    numbers = [[moment.num_frames, moment.num_entries, *moment.slots] for moment in moments]
    packed |= {
        "moments.numbers": torch.tensor(numbers, dtype=torch.int64),
        "moments.random": torch.stack([moment.random for moment in moments]),
        "moments.own": torch.tensor([moment.own for moment in moments]),
        "moments.fleeting": torch.tensor([moment.fleeting for moment in moments]),
        **{f"bank.{name}": getattr(bank, name)[:count] for name in BUFFERS},
        "frame": torch.from_numpy(frame),
    }
    return packed


def unpack(tensors: Named, settings: ModelSettings, device: torch.device) -> tuple[list[Moment], MemoryBank]:
    """Moments and bank, on `device`. Raises SaveError for anything that is not what `pack` made.

    A random state that belongs to another kind of device is replaced by one drawn from the frame's number.
    """
    if "moments.numbers" in tensors:  # files of before did not say who drew a frame, nor how near it is
        count = len(tensors["moments.numbers"])
        tensors.setdefault("moments.own", torch.ones(count, dtype=torch.bool))
        tensors.setdefault("moments.fleeting", torch.zeros(count, dtype=torch.bool))
        tensors.setdefault("moments.nearness", torch.zeros(count, *settings.latent_shape[:2]))
    _repack(tensors, "tokens", "scales", settings.memory_dim)
    _repack(tensors, "latents", "latent_scales", settings.latent_shape[-1])
    _check(tensors, settings)
    frame = tensors["frame"].numpy()
    bank = MemoryBank(settings, device)
    bank.hold(pack_entries(settings, [tensors[f"bank.{name}"].to(device) for name in BUFFERS]))
    moments = []
    numbers: list[list[int]] = tensors["moments.numbers"].tolist()
    moved = {part: tensors[f"moments.{part}"].to(device) for part in PARTS}
    for row, (num_frames, num_entries, *slots) in enumerate(numbers):
        one: dict[str, Any] = {part: tensor[row : row + 1] for part, tensor in moved.items()}
        moments.append(
            Moment(
                num_frames=num_frames,
                slots=tuple(slots),
                num_entries=num_entries,
                random=_random(tensors["moments.random"][row], num_frames, device),
                own=bool(tensors["moments.own"][row]),
                fleeting=bool(tensors["moments.fleeting"][row]),
                picture=zlib.compress(frame.tobytes(), 1) if row + 1 == len(numbers) else None,
                **one,
            )
        )
    bank.keep(moments[-1].num_entries)
    return moments, bank


def _repack(tensors: Named, name: str, scales: str, count: int) -> None:
    """Have the bank's numbers, `count` a token or cell, be kept as they are now where a file of before has bytes."""
    held, scale = (tensors.get(f"bank.{part}", torch.zeros(0)) for part in (name, scales))
    if held.dtype == torch.int8 and held.shape[-1:] == (count,) and scale.shape == (*held.shape[:-1], 1):
        tensors[f"bank.{name}"], tensors[f"bank.{scales}"] = quantise(held.float() * scale.float())


def _random(state: Tensor, num_frames: int, device: torch.device) -> Tensor:
    random, state = torch.Generator(device=device), state.clone()  # a clone is aligned, as the generator needs it
    try:
        random.set_state(state)
    except RuntimeError:
        random.manual_seed(num_frames)
    return random.get_state()


def _check(tensors: Named, settings: ModelSettings) -> None:
    numbers = tensors.get("moments.numbers", torch.zeros(0, 0))
    count = numbers.shape[0] if numbers.ndim == 2 else 0
    held = len(tensors["bank.tokens"]) if "bank.tokens" in tensors and tensors["bank.tokens"].ndim else 0
    random = tensors.get("moments.random", torch.zeros(0, 0)).shape[-1:]
    expected: dict[str, tuple[tuple[int, ...], tuple[torch.dtype, ...]]] = {
        "moments.latent": ((count, *settings.latent_shape), FLOATS),
        "moments.action": ((count, settings.action_size), (torch.float32,)),
        "moments.motion": ((count, poses.SIZE), (torch.float32,)),
        "moments.pose": ((count, poses.SIZE), (torch.float32,)),
        "moments.anchor": ((count, 2), (torch.float32,)),
        "moments.nearness": ((count, *settings.latent_shape[:2]), (torch.float32,)),
        "moments.numbers": ((count, 2 + settings.memory_entries), (torch.int64,)),
        "moments.random": ((count, *random), (torch.uint8,)),
        "moments.own": ((count,), (torch.bool,)),
        "moments.fleeting": ((count,), (torch.bool,)),
        "bank.tokens": ((held, settings.frame_tokens, words(settings.memory_dim)), (torch.int16,)),
        "bank.scales": ((held, settings.frame_tokens, 1), (torch.float16,)),
        "bank.poses": ((held, poses.SIZE), (torch.float32,)),
        "bank.latents": ((held, *settings.latent_shape[:2], words(settings.latent_shape[2])), (torch.int16,)),
        "bank.latent_scales": ((held, *settings.latent_shape[:2], 1), (torch.float16,)),
        "bank.nearness": ((held, *settings.latent_shape[:2]), (torch.float16,)),
        "frame": ((settings.height, settings.width, 3), (torch.uint8,)),
    }
    if odd := sorted(expected.keys() ^ tensors.keys()):
        raise SaveError(f"the saved session does not fit this network: {odd[0]} is only in one of them")
    for name, (shape, dtypes) in expected.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape or tensor.dtype not in dtypes:
            found = f"{tensor.dtype} {tuple(tensor.shape)}, not {dtypes[0]} {shape}"
            raise SaveError(f"the saved session does not fit this network: {name} is {found}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise SaveError(f"the saved session is damaged: {name} holds numbers that are not finite")
    _check_numbers(numbers.tolist(), held, settings)


def _check_numbers(numbers: list[list[int]], held: int, settings: ModelSettings) -> None:
    """Frames count up by one, blocks of them leave an entry or none, and slots show entries that are there, once."""
    first = numbers[0][0] if numbers else 0
    needed = min(settings.recent_frames, numbers[-1][0]) if numbers else 1
    whole = len(numbers) == needed and first >= 1
    for row, (num_frames, num_entries, *slots) in enumerate(numbers):
        whole = whole and num_frames == first + row and 0 <= num_entries <= num_frames // settings.block_frames
        shown = [slot for slot in slots if slot != -1]
        whole = whole and all(0 <= slot < num_entries for slot in shown) and len({*shown}) == len(shown)
    if not whole or numbers[-1][1] != held:
        raise SaveError("the saved session is damaged: its frames and memory entries do not count up")
