"""A long true history into a rollout at once: what frame-by-frame observing leaves behind, made in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.entry import pack, unpack
from engine.model.memory import quantise
from engine.model.novelty import average, find_cover, looks_known
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
    by the end are encoded in batches, and leave nothing but what memory keeps of them: as when they are played, only
    what is new, where the rollout is thrifty.
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
    keeper = Keeper(rollout)
    for begin in range(0, past, blocks * settings.block_frames):
        part = slice(begin, min(past, begin + blocks * settings.block_frames))
        _remember(keeper, latents[:, part], actions[:, part], motion[:, part], where[:, part], begin)
    rollout.num_frames = past
    rollout.pose, rollout.velocity, rollout.action = where[:, past - 1], motion[:, past - 1], actions[:, past - 1]
    rollout.anchor = where[:, 0, :2].clone()
    rollout.footing.add(*where[:, :past].unbind(1))
    for index in range(past, count):
        rollout.observe(latents[:, index], actions[:, index], frame_poses[:, index])


class Keeper:
    """Keeps blocks of a told history: of a thrifty rollout those that show something new (novelty.py)."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout, self.settings = rollout, rollout.model.settings
        self.colours: list[list[Tensor]] = [[] for _ in rollout.banks]  # of each entry's cells, [3, rows, columns]

    def keep(self, rows: Tensor, pose: Tensor, colours: Tensor) -> None:
        """Rows [B, bytes] of entries; of their last frames, poses [B, SIZE] and colours [B, 3, rows, columns]."""
        banks = self.rollout.banks
        for bank in banks:
            bank.take_back()
        known = self._know(pose, colours) if self.rollout.thrifty and banks.counts().all() else []
        banks.append(rows)
        for row, (bank, held) in enumerate(zip(banks, self.colours, strict=True)):
            bank.fleeting = row in known
            held[bank.num_entries - 1 :] = [colours[row]]

    def _know(self, pose: Tensor, colours: Tensor) -> list[int]:
        """The sessions whose memory shows what they see."""
        banks, counts = self.rollout.banks, torch.from_numpy(self.rollout.banks.counts())
        poses = torch.nn.utils.rnn.pad_sequence([bank.poses[: bank.num_entries] for bank in banks], batch_first=True)
        valid = (torch.arange(poses.shape[1]) < counts[:, None]).to(pose.device)
        index, there, known = find_cover(self.settings, poses, valid, pose)
        if known.any():
            told = zip(self.colours, index.tolist(), strict=True)
            cells = torch.stack([torch.stack([held[entry] for entry in entries]) for held, entries in told])
            rows = torch.arange(len(index), device=pose.device).unsqueeze(1).expand_as(index)
            entries = unpack(self.settings, banks.read(rows.flatten(), index.flatten()))
            near = entries.nearness.float().unflatten(0, index.shape)
            given = near, entries.poses.unflatten(0, index.shape), there
            known &= looks_known(self.settings, colours, pose, cells, *given)
        return known.nonzero().flatten().tolist()


def _remember(keeper: Keeper, latents: Tensor, actions: Tensor, motion: Tensor, where: Tensor, begin: int) -> None:
    """Keep whole blocks of frames [B, n, ...], of which the first is the session's frame `begin`."""
    rollout = keeper.rollout
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
    colours = average(model.settings, model.refer(latents[:, last].to(dtype)))
    columns = (entries, where[:, last], latents[:, last], nearness.half(), colours)
    for entry, pose, latent, near, seen in zip(*(column.unbind(1) for column in columns), strict=True):
        keeper.keep(pack(model.settings, [*quantise(entry), pose, *quantise(latent), near]), pose, seen)
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
