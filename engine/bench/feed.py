"""A long true history into a rollout at once: what frame-by-frame observing leaves behind, made in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.entry import pack
from engine.model.memory import quantise
from engine.model.pose import looking_back
from engine.model.rollout import Rollout
from engine.model.sweep import shrink

LONG = 48  # frames: a shorter history is observed frame by frame
AT_ONCE = 32  # frames of all sessions together that the frame encoder takes at once on a CPU
MORE = {"cuda": 16}  # times as many, by device


@torch.no_grad()
def feed(rollout: Rollout, latents: Tensor, actions: Tensor, frame_poses: Tensor) -> None:
    """Begin `rollout` with a true history, as Rollout.start does, but for rounding.

    latents [B, n, ...], actions [B, n, size], poses [B, n, SIZE], n at least 1. The frames that have left the window
    by the end are encoded in batches, and leave nothing but what memory keeps of them.
    """
    settings, count = rollout.model.settings, latents.shape[1]
    past = (count - settings.recent_frames) // settings.block_frames * settings.block_frames
    if count < LONG or past < settings.recent_frames:
        rollout.start(latents, actions, frame_poses)
        return
    where = frame_poses.float()
    motion = looking_back(torch.cat([where[:, :1], where[:, :-1]], dim=1), where)
    at_once = AT_ONCE * MORE.get(rollout.device.type, 1)
    blocks = max(1, at_once // (rollout.batch * settings.block_frames))
    for begin in range(0, past, blocks * settings.block_frames):
        part = slice(begin, min(past, begin + blocks * settings.block_frames))
        _remember(rollout, latents[:, part], actions[:, part], motion[:, part], where[:, part], begin)
    rollout.num_frames = past
    rollout.pose, rollout.velocity, rollout.action = where[:, past - 1], motion[:, past - 1], actions[:, past - 1]
    rollout.anchor = where[:, 0, :2].clone()
    for index in range(past, count):
        rollout.observe(latents[:, index], actions[:, index], frame_poses[:, index])


def _remember(rollout: Rollout, latents: Tensor, actions: Tensor, motion: Tensor, where: Tensor, begin: int) -> None:
    """Keep whole blocks of frames [B, n, ...], of which the first is the session's frame `begin`."""
    model, size = rollout.model, rollout.model.settings.block_frames
    dtype, window = model.dtype, model.settings.recent_frames
    tokens = model.encode_frames(latents.to(dtype), actions.to(dtype), motion.to(dtype))
    by_block = tokens.unflatten(1, (-1, size)).flatten(0, 1)
    entries = model.compress_blocks(by_block, where.unflatten(1, (-1, size)).flatten(0, 1))
    entries = entries.unflatten(0, (rollout.batch, -1))
    last = slice(size - 1, None, size)
    nearness, sweep = model.encoder.nearness(tokens[:, last]), model.encoder.sweep
    if sweep is not None:
        pictures = shrink(model.refer(latents.to(dtype)))
        nearness = sweep.last_of_blocks(nearness, *(part.unflatten(1, (-1, size)) for part in (pictures, where)))
        rollout.passes.recent_pictures[:, _ring(rollout, begin, tokens.shape[1])] = pictures[:, -window:]
    columns = (entries, where[:, last], latents[:, last], nearness.half())
    for entry, pose, latent, near in zip(*(column.unbind(1) for column in columns), strict=True):
        rollout.banks.append(pack(model.settings, [*quantise(entry), pose, *quantise(latent), near]))
    if rollout.memory == "plain":
        rollout.plain_tokens += [frame.clone() for frame in tokens[:, last].unbind(1)]
    if rollout.memory == "full":
        rollout.past += zip(tokens.unbind(1), where.unbind(1), strict=True)
    ring = _ring(rollout, begin, tokens.shape[1])
    rollout.recent_tokens[:, ring], rollout.recent_poses[:, ring] = tokens[:, -window:], where[:, -window:]


def _ring(rollout: Rollout, begin: int, count: int) -> Tensor:
    """Places of the recent ones among `count` frames, of which the first is the session's frame `begin`."""
    window = rollout.model.settings.recent_frames
    return torch.arange(max(0, count - window), count, device=rollout.device).add(begin) % window
