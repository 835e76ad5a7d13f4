"""The generator over a whole chunk of frames at once, for training: equal to the rollout, frame by frame.

Keys of a chunk lie in this order: memory slots, then the clean frames (those before the chunk and
all but its last), then the noisy frames themselves. An empty slot or a hidden frame is tokens of
zeros, which become keys and values of zeros wherever they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.attention import FrameMask
from engine.model.chunk import Chunk
from engine.model.network import WorldModel
from engine.model.reprojection import Shown, pick_one_too
from engine.model.settings import ModelSettings
from engine.model.sweep import OLDER, shrink
from engine.model.warping import Carried


class Predicted(NamedTuple):
    """What the network says of a chunk. C frames, then R rebuilt ones.

    latents: [B, C + R, ...]; motion: [B, C + R, SIZE], scaled, from `asked`: poses [B, C, SIZE] from where the frames
    were thought to be seen (see WorldModel.ask). reference: [B, C, rows, columns, channels + 1]. nearness: [B, W + C
    - 1, rows, columns] of the clean frames, as guessed; swept: the same, bettered by looking from the last recent frame
    on.
    """

    latents: Tensor
    motion: Tensor
    asked: Tensor
    reference: Tensor
    nearness: Tensor
    swept: Tensor


@dataclass
class Masks:
    """What each noisy frame may see, for the layers that read memory and for those that do not."""

    with_memory: object
    without_memory: object


def chunk_masks(settings: ModelSettings, frames: int, rebuilt: int, recent: int, device: torch.device) -> Masks:
    """Masks for `frames` predicted frames that see `recent` exact frames, then `rebuilt` frames of one block.

    The rebuilt frames see the memory slots and each other, nothing else: the objective that makes
    an entry carry its whole block (MAG's `history_compress`).
    """
    slots, window = settings.memory_entries, settings.recent_frames
    clean = window + frames - 1
    allowed = torch.zeros(frames + rebuilt, slots + clean + frames + rebuilt, dtype=torch.bool)
    allowed[:, :slots] = True
    for index in range(frames):
        allowed[index, slots + index + window - recent : slots + index + window] = True
        allowed[index, slots + clean + index] = True
    allowed[frames:, slots + clean + frames :] = True
    tokens = settings.frame_tokens
    with_memory = FrameMask(allowed.to(device), tokens)
    without_memory = FrameMask(allowed[:, slots:].contiguous().to(device), tokens)
    return Masks(with_memory.prepare(), without_memory.prepare())


class Beside(NamedTuple):
    """Keys and values [B, heads, N, head_dim] that one layer attends to before its own, and the mask over all."""

    keys: list[Tensor]
    values: list[Tensor]
    mask: object

    def join(self, query: Tensor, own: Tensor) -> tuple[Tensor, Tensor, object]:
        return torch.cat([*self.keys, own[0]], dim=2), torch.cat([*self.values, own[1]], dim=2), self.mask


class ParallelContext:
    """Keys and values of memory slots and clean frames, [layers, 2, B, heads, N, head_dim] each."""

    def __init__(self, model: WorldModel, memory: Tensor, clean: Tensor, masks: Masks) -> None:
        self.readers = {layer: row for row, layer in enumerate(model.settings.memory_readers)}
        self.masks = masks
        # Taken apart at once: the gradient of one index after another would be a tensor of full size each time.
        self.memory, self.clean = memory.flatten(0, 1).unbind(), clean.flatten(0, 1).unbind()

    def at(self, layer: int) -> Beside:
        key, value = self.clean[2 * layer : 2 * layer + 2]
        if layer not in self.readers:
            return Beside([key], [value], self.masks.without_memory)
        row = self.readers[layer]
        memory_key, memory_value = self.memory[2 * row : 2 * row + 2]
        return Beside([memory_key, key], [memory_value, value], self.masks.with_memory)


def read_memory(
    model: WorldModel, block_tokens: Tensor, entries: Tensor, pose: Tensor, filled: Tensor, plain: int = 0
) -> Tensor:
    """Keys and values of memory slots [readers, 2, B, heads, slots * tokens, head_dim]; zeros where not filled.

    plain: how many rows, from the first, read their blocks' exact last frames in place of their entries.
    """
    place = model.place(torch.zeros(pose.shape[:2], device=pose.device), pose)
    kv = model.generator.remembered(entries, place, dated=False)
    if plain:
        place = model.place(torch.zeros(plain, pose.shape[1], device=pose.device), pose[:plain])
        exact = model.generator.recent(block_tokens[:plain, :, -1], place, dated=False)
        kv = torch.cat([exact[model.settings.memory_readers], kv[:, :, plain:]], dim=2)
    held = filled.repeat_interleave(model.settings.frame_tokens, dim=1)
    return kv * held[:, None, :, None]


def motions(start: Tensor, frames: Tensor) -> Tensor:
    """Motion of each of frames [.., F, SIZE] as it looked back: from the frame before, seen from its own heading."""
    previous = torch.cat([start.unsqueeze(-2), frames[..., :-1, :]], dim=-2)
    return poses.looking_back(previous, frames)


def memory_entries(model: WorldModel, chunk: Chunk) -> tuple[Tensor, Tensor, Tensor]:
    """(context tokens of the blocks, entries [B, M, tokens, memory_dim], poses [B, M, SIZE])."""
    batch, slots = chunk.filled.shape
    flat = [x.flatten(0, 1) for x in (chunk.block_latents, chunk.block_actions, chunk.block_poses, chunk.block_before)]
    latents, actions, block_poses, before = flat
    tokens = model.encode_frames(latents, actions, motions(before, block_poses).to(latents.dtype))
    entries = model.compress_blocks(tokens, block_poses)
    return tokens.unflatten(0, (batch, slots)), entries.unflatten(0, (batch, slots)), chunk.block_poses[:, :, -1]


def show_blocks(model: WorldModel, block_tokens: Tensor, chunk: Chunk) -> Shown:
    """The last frames of the memory slots' blocks, as references."""
    nearness, sweep = model.encoder.nearness(block_tokens[:, :, -1]), model.encoder.sweep
    if sweep is None:
        pictures = model.refer(chunk.block_latents[:, :, -1])
    else:
        frames = model.refer(chunk.block_latents)
        pictures = frames[:, :, -1]
        nearness = sweep.last_of_blocks(nearness.detach(), shrink(frames), chunk.block_poses)
    return Shown(pictures, nearness, chunk.block_poses[:, :, -1], chunk.filled, torch.zeros_like(chunk.filled))


class Looked(NamedTuple):
    """What one network makes of a chunk's history and of what is asked of it: all that `draw` needs but the noise.

    memory and recent: keys and values of memory slots and of clean frames (see ParallelContext). time and where: of all
    frames [B, C + R], and their poses; actions: scaled; known: bool; seen: references; the rest as in Predicted.
    carried: views as they were carried over to make the references.
    """

    memory: Tensor
    recent: Tensor
    time: Tensor
    where: Tensor
    actions: Tensor
    known: Tensor
    seen: Tensor
    asked: Tensor
    nearness: Tensor
    swept: Tensor
    carried: Carried


def look_back(
    model: WorldModel, chunk: Chunk, blocks: Shown, pictures: Tensor, nearness: Tensor, asked: Tensor,
    blind: Tensor | None, rebuild: Tensor | None,
) -> Carried:  # fmt: skip
    """Carry blocks and the last clean frames over into a chunk's frames, one row for each.

    pictures: [B, N, 3, height, width] of the last N clean frames, with their nearness; the last C come just before the
    frames to predict. blind: bool [B, 2], chunks that do without the last frame, and without the blocks. rebuild: see
    look; into the frames of that block its entry's frame is carried, alone.
    """
    slots, count, frames = model.settings.memory_entries, pictures.shape[1], asked.shape[1]
    there = torch.ones(pictures.shape[:2], dtype=torch.bool, device=pictures.device)
    filled, own = blocks.there, torch.zeros_like(there)
    if chunk.own is not None:
        own = chunk.own[:, -1 - count : -1]
    if blind is not None:
        there, filled = there & ~blind[:, :1], filled & ~blind[:, 1:]
    everything = Shown(
        torch.cat([blocks.pictures, pictures], dim=1),
        torch.cat([blocks.nearness, nearness], dim=1),
        torch.cat([blocks.poses, chunk.poses[:, -1 - count : -1]], dim=1),
        torch.cat([filled, there], dim=1),
        torch.cat([blocks.own, own], dim=1),
    )
    last = slots + count - frames + torch.arange(frames, device=asked.device).expand(len(asked), -1)
    reproject = model.generator.reproject
    picked = reproject.pick(everything, last, asked)
    if rebuild is not None:
        rows = torch.arange(len(rebuild), device=rebuild.device)
        picked = pick_one_too(picked, rebuild, chunk.block_poses[rows, rebuild])
    return reproject.carry_over(everything, picked, reproject.find(everything.nearness, everything.poses, picked))


def look(
    model: WorldModel, chunk: Chunk, drop: Tensor | None = None, rebuild: Tensor | None = None, plain: int = 0,
    context: Tensor | None = None, pictured: Tensor | None = None, blind: Tensor | None = None,
    carried: Carried | None = None,
) -> Looked:  # fmt: skip
    """What comes before a chunk's C frames, and before the R frames of one block to rebuild, as `model` sees it.

    drop: bool [B, W + C], clean frames to hide; rebuild: [B], the slot whose R frames are to be rebuilt from its entry,
    the last of them a picture that it keeps;
    plain: how many chunks, from the first, have the exact last frames of blocks as their entries, instead of the memory
    model's; context: clean frames to show in place of chunk.latents; pictured: to carry over in place of those; blind:
    see look_back. carried: views that another network carried over, by its own nearness; then they serve here too.
    """
    settings = model.settings
    window, total = settings.recent_frames, chunk.actions.shape[1]
    shown = chunk.latents if context is None else context
    moved = motions(chunk.before, chunk.poses)
    clean = model.encode_frames(shown[:, :-1], chunk.actions[:, :-1], moved[:, :-1].to(shown.dtype))
    nearness = model.encoder.nearness(clean)
    if drop is not None:
        clean = clean * ~drop[:, :-1, None, None]
    block_tokens, entries, entry_poses = memory_entries(model, chunk)
    memory = read_memory(model, block_tokens, entries, entry_poses, chunk.filled, plain)
    past = slice(window - 1, -1)
    told = chunk.poses[:, past], moved[:, past], chunk.actions[:, past], chunk.actions[:, window:]
    asked = model.ask(*told)[0] if chunk.asked is None else chunk.asked
    swept = nearness
    if carried is None:
        latents = shown if pictured is None else pictured
        swept, carried = _carry(model, chunk, latents, block_tokens, nearness, asked, blind, rebuild)
    seen = model.generator.reproject.read(carried).unflatten(0, (len(asked), -1))
    time = torch.arange(total, device=asked.device).expand(len(asked), total)
    recent = model.generator.recent(clean, model.place(time[:, :-1], chunk.poses[:, :-1]), dated=True)
    where, time, actions = asked, time[:, window:], chunk.actions[:, window:]
    known = torch.ones(asked.shape[:2], dtype=torch.bool, device=asked.device)
    if rebuild is not None:
        rows = torch.arange(len(asked), device=asked.device)
        where = torch.cat([where, chunk.block_poses[rows, rebuild]], dim=1)
        actions = torch.cat([actions, torch.zeros_like(chunk.block_actions[rows, rebuild])], dim=1)
        ages = torch.arange(1 - settings.block_frames, 1, device=asked.device).expand(len(asked), -1)
        time, known = torch.cat([time, ages], dim=1), torch.cat([known, known.new_zeros(ages.shape)], dim=1)
    scaled = model.scale_action(actions)
    return Looked(memory, recent, time, where, scaled, known, seen, asked, nearness, swept, carried)


def _carry(
    model: WorldModel, chunk: Chunk, latents: Tensor, block_tokens: Tensor, nearness: Tensor, asked: Tensor,
    blind: Tensor | None, rebuild: Tensor | None,
) -> tuple[Tensor, Carried]:  # fmt: skip
    """Nearness of a chunk's clean frames, bettered by looking where that is used, and what is carried over by it."""
    window, sweep = model.settings.recent_frames, model.encoder.sweep
    first = window - 1 if sweep is None else max(0, window - 1 - OLDER)  # of those that are made pictures of
    pictures, blocks = model.refer(latents[:, first:-1]), show_blocks(model, block_tokens, chunk)
    if sweep is not None:
        guess = nearness[:, window - 1 :].detach()
        better = sweep.last(guess, shrink(pictures), chunk.poses[:, first:-1])
        nearness = torch.cat([nearness[:, : window - 1], better], dim=1)
    return nearness, look_back(model, chunk, blocks, pictures, nearness[:, first:], asked, blind, rebuild)


def draw(model: WorldModel, looked: Looked, noisy: Tensor, level: Tensor, masks: Masks) -> Predicted:
    """Predict the clean latents and motions of the frames that were asked for.

    noisy: [B, C + R, ...], level [B, C + R].
    """
    holder = ParallelContext(model, looked.memory, looked.recent, masks)
    place = model.place(looked.time, looked.where)
    latents, motion = model.generator(noisy, level, looked.actions, looked.known, place, holder, looked.seen)
    reference = looked.seen[:, : looked.asked.shape[1]]
    return Predicted(latents, motion, looked.asked, reference, looked.nearness, looked.swept)


def predict_chunk(
    model: WorldModel, chunk: Chunk, noisy: Tensor, level: Tensor, masks: Masks, **given: Any
) -> Predicted:  # fmt: skip
    """Predict the clean latents and motions of a chunk's frames, and of a block to rebuild; `given`: see look."""
    return draw(model, look(model, chunk, **given), noisy, level, masks)
