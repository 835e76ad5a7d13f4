"""The rollout: denoise, commit, memorise, repeat. Training, play, environments and benches all step this one loop."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.kv_cache import KVCache
from engine.model.memory_bank import MemoryBank
from engine.model.network import WorldModel
from engine.model.parallel import looking_back
from engine.model.reprojection import Shown
from engine.model.rope import Place
from engine.model.sampler import denoise

ANCHOR_REACH = 2.0  # pose units the camera may move before positions are measured anew
CLEAN = 0.05  # noise level at which a true frame is shown to the generator, to have its motion read off
SHOWN_AT_ONCE = 64  # frames of a full history written into the cache at once
LOOK_AHEAD = 3.0  # frames of the present turn by which memory is chosen ahead


class Rollout:
    """B sessions stepping together: their KV cache, memory banks, believed poses and random state.

    Latents are [B, rows, columns, channels]; actions [B, size] as the world encodes them; poses
    [B, SIZE] (see pose.py). `memory` says what the memory slots hold: "blocks", the memory model's entries;
    "plain", each block's exact last frame; "none", nothing; "full", every exact frame that has
    left the window, all of them attended to, at a cost that grows with the history (for measuring).
    """

    def __init__(
        self, model: WorldModel, batch: int, levels: Sequence[float], seeds: Sequence[int], memory: str = "blocks"
    ) -> None:
        settings = model.settings
        self.model, self.batch, self.levels, self.memory = model, batch, list(levels), memory
        self.device = model.device
        self.randoms = [torch.Generator(device=self.device).manual_seed(seed) for seed in seeds]
        self.cache = KVCache(model, batch)
        self.banks = [MemoryBank(settings, self.device) for _ in range(batch)]
        self.num_frames = 0
        window = settings.recent_frames
        shape = (batch, window, settings.frame_tokens, settings.dim)
        self.recent_tokens = torch.zeros(shape, dtype=model.dtype, device=self.device)
        self.recent_poses = torch.zeros(batch, window, poses.SIZE, device=self.device)
        self.plain_tokens: list[Tensor] = []
        self.past: list[tuple[Tensor, Tensor]] = []  # "full": tokens [B, tokens, dim] and pose [B, SIZE] of all frames
        self.num_shown = 0  # "full": frames of the past that the cache shows
        self.pose = torch.zeros(batch, poses.SIZE, device=self.device)
        self.velocity = torch.zeros(batch, poses.SIZE, device=self.device)
        self.anchor = torch.zeros(batch, 2, device=self.device)
        self.slots = [[-1] * settings.memory_entries for _ in range(batch)]
        rows, columns, _ = settings.latent_shape
        frames = settings.memory_entries + 1  # one for each slot, and the last frame
        self.shown = Shown(
            torch.zeros(
                batch, frames, rows * columns, settings.reference_dim, dtype=model.dtype, device=self.device
            ),
            torch.ones(batch, frames, rows, columns, device=self.device),
            torch.zeros(batch, frames, poses.SIZE, device=self.device),
            torch.zeros(batch, frames, dtype=torch.bool, device=self.device),
        )

    @torch.no_grad()
    def start(self, latents: Tensor, actions: Tensor, frame_poses: Tensor) -> None:
        """Begin with a true history: latents [B, n, ...], actions [B, n, size], poses [B, n, SIZE], n at least 1.

        actions[:, i] was held between frames i-1 and i. The last frame is the present one.
        """
        self.pose = frame_poses[:, 0].float()
        self.anchor = self.pose[:, :2].clone()
        self.recent_poses[:] = self.pose.unsqueeze(1)
        for index in range(latents.shape[1]):
            self.observe(latents[:, index], actions[:, index], frame_poses[:, index])

    def step(self, action: Tensor) -> Tensor:
        """Generate, commit and return the latent [B, ...] of the frame that follows `action` [B, size]."""
        latent, pose = self.propose(action)
        self.observe(latent, action, pose)
        return latent

    @torch.no_grad()
    def propose(self, action: Tensor, levels: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
        """Generate the frame that follows `action` [B, size] without committing it: its latent and pose [B, SIZE].

        levels: noise levels in place of the rollout's own.
        """
        asked, place, scaled, reference = self._prepare(action)
        noise = self._noise()
        latent, motion = denoise(
            self.model.generator, noise, levels or self.levels, scaled, place, self.cache, reference
        )
        latent = self.model.codec.bound(latent)
        return latent[:, 0], poses.advance(asked, motion[:, 0].float())

    @torch.no_grad()
    def observe(self, latent: Tensor, action: Tensor, pose: Tensor) -> None:
        """Commit a finished frame: latent [B, ...] that followed `action` [B, size], seen from `pose` [B, SIZE]."""
        pose = pose.float()
        motion = looking_back(self.pose, pose)
        self.velocity, self.pose = motion, pose
        self._follow(pose)
        tokens = self.model.encode_frames(
            latent.unsqueeze(1).to(self.model.dtype),
            action.unsqueeze(1).to(self.model.dtype),
            motion.unsqueeze(1).to(self.model.dtype),
        )
        ring = self.num_frames % self.model.settings.recent_frames
        self.recent_tokens[:, ring] = tokens[:, 0]
        self.recent_poses[:, ring] = pose
        self.cache.write_recent(ring, tokens, self._time(), poses.relative_to(pose.unsqueeze(1), self.anchor))
        self.show_last(latent, tokens, pose)
        if self.memory == "full":
            self.past.append((tokens[:, 0], pose))
        self.num_frames += 1
        if self.num_frames % self.model.settings.block_frames == 0:
            self._memorise(latent)

    def show_last(self, latent: Tensor, tokens: Tensor, pose: Tensor) -> None:
        """Make the frame just committed, latent [B, ...] with tokens [B, 1, ...], a reference for the next one."""
        shown, last = self.shown, self.model.settings.memory_entries
        shown.features[:, last] = self.model.generator.reproject.features(latent.to(self.model.dtype))
        shown.nearness[:, last] = self.model.encoder.nearness(tokens)[:, 0]
        shown.poses[:, last], shown.there[:, last] = pose, True

    def clear_memory(self) -> None:
        """Empty what the memory slots show; `show_again` shows what they hold."""
        self.cache.clear_memory()
        self.shown.there[:, : self.model.settings.memory_entries] = False

    @torch.no_grad()
    def locate(self, latent: Tensor, action: Tensor) -> Tensor:
        """Pose [B, SIZE] from which a true frame, latent [B, ...] that followed `action` [B, size], was seen."""
        asked, place, scaled, reference = self._prepare(action)
        level = torch.full((self.batch, 1), CLEAN, device=self.device)
        known = torch.ones(self.batch, 1, dtype=torch.bool, device=self.device)
        _, motion = self.model.generator(latent.unsqueeze(1), level, scaled, known, place, self.cache, reference)
        return poses.advance(asked, motion[:, 0].float())

    def _prepare(self, action: Tensor) -> tuple[Tensor, Place, Tensor, Tensor]:
        """For the frame after `action` [B, size]: where it is seen from, its tokens' places, the scaled action, and
        what earlier frames show of it."""
        asked, _ = self.model.ask(self.pose, self.velocity, action)
        self._recall(asked)
        place = self.model.place(self._time(), poses.relative_to(asked.unsqueeze(1), self.anchor))
        last = torch.full((self.batch, 1), self.model.settings.memory_entries, device=self.device)
        reference = self.model.generator.reproject(self.shown, last, asked.unsqueeze(1))
        return asked, place, self.model.scale_action(action).unsqueeze(1).to(self.model.dtype), reference

    def _time(self) -> Tensor:
        return torch.full((self.batch, 1), self.num_frames, device=self.device)

    def _noise(self) -> Tensor:
        shape = (1, *self.model.settings.latent_shape)
        drawn = [torch.randn(shape, generator=random, device=self.device) for random in self.randoms]
        return torch.stack(drawn).to(self.model.dtype)

    def _memorise(self, latent: Tensor) -> None:
        """Compress the block that `latent` [B, ...] has just finished into one entry of each session's bank."""
        settings = self.model.settings
        last = torch.arange(self.num_frames - settings.block_frames, self.num_frames, device=self.device)
        ring = last % settings.recent_frames
        tokens, block_poses = self.recent_tokens[:, ring], self.recent_poses[:, ring]
        entries = self.model.compress_blocks(tokens, block_poses)
        nearness = self.shown.nearness[:, settings.memory_entries]
        for bank, *kept in zip(self.banks, entries, block_poses[:, -1], latent, nearness, strict=True):
            bank.append(*kept)
        if self.memory == "plain":
            self.plain_tokens.append(tokens[:, -1].clone())

    def _recall(self, asked: Tensor) -> None:
        """Bring the entries that the coming frame may need into the cache's memory slots."""
        if self.memory == "none":
            return
        if self.memory == "full":
            self._show_past()
        ahead = poses.turn(asked, torch.rad2deg(self.velocity[:, 2] / poses.MOTION_SCALE[2]) * LOOK_AHEAD)
        now = torch.stack([ahead, asked], dim=1)
        wanted = [
            bank.select(view, len(slots)).tolist()
            for bank, view, slots in zip(self.banks, now, self.slots, strict=True)
        ]
        changed = {slot for slots, chosen in zip(self.slots, wanted, strict=True) for slot in _assign(slots, chosen)}
        for slot in sorted(changed):
            self._show(slot)

    def _show(self, slot: int) -> None:
        """Write what `slot` holds in each session into the cache."""
        held = [slots[slot] for slots in self.slots]
        settings = self.model.settings
        size = settings.memory_dim if self.memory == "blocks" else settings.dim
        tokens = torch.zeros(self.batch, 1, settings.frame_tokens, size, dtype=self.model.dtype, device=self.device)
        where = torch.zeros(self.batch, 1, poses.SIZE, device=self.device)
        for row, (bank, index) in enumerate(zip(self.banks, held, strict=True)):
            self.shown.there[row, slot] = index >= 0
            if index < 0:
                continue
            where[row, 0] = self.shown.poses[row, slot] = bank.poses[index]
            self.shown.nearness[row, slot] = bank.nearness[index]
            frame = bank.frame(index, self.model.dtype)
            self.shown.features[row, slot] = self.model.generator.reproject.features(frame)
            if self.memory == "full":
                continue
            if self.memory == "plain":
                tokens[row, 0] = self.plain_tokens[index][row]
            else:
                tokens[row] = bank.read(torch.tensor([index], device=self.device), self.model.dtype)
        if self.memory == "full":
            return
        place = self.model.place(torch.zeros_like(where[..., 0]), poses.relative_to(where, self.anchor))
        if self.memory == "plain":
            kv = self.model.generator.recent(tokens, place, dated=False)[settings.memory_readers]
        else:
            kv = self.model.generator.remembered(tokens, place, dated=False)
        self.cache.write_memory(slot, kv)

    def _show_past(self) -> None:
        """Write the frames that have left the window since the last time into memory slots of their own."""
        count = self.num_frames - self.model.settings.recent_frames
        self.cache.grow(count)
        while self.num_shown < count:
            part = self.past[self.num_shown : min(count, self.num_shown + SHOWN_AT_ONCE)]
            tokens, where = (torch.stack(column, dim=1) for column in zip(*part, strict=True))
            place = self.model.place(torch.zeros_like(where[..., 0]), poses.relative_to(where, self.anchor))
            kv = self.model.generator.recent(tokens, place, dated=False)[self.model.settings.memory_readers]
            self.cache.write_memory(self.num_shown, kv)
            self.num_shown += len(part)

    def _follow(self, pose: Tensor) -> None:
        """Measure positions from the camera again once it has gone far: products of large numbers lose digits."""
        if float((pose[:, :2] - self.anchor).norm(dim=-1).max()) < ANCHOR_REACH:
            return
        self.anchor = pose[:, :2].clone()
        self.show_again()

    def show_again(self) -> None:
        """Write the recent frames, and the entries that the slots hold, into the cache anew."""
        self.num_shown = 0
        window = self.model.settings.recent_frames
        for ring in range(window):
            behind = (self.num_frames - 1 - ring) % window
            time = torch.full((self.batch, 1), self.num_frames - 1 - behind, device=self.device)
            where = poses.relative_to(self.recent_poses[:, ring : ring + 1], self.anchor)
            self.cache.write_recent(ring, self.recent_tokens[:, ring : ring + 1], time, where)
        for slot in range(self.model.settings.memory_entries):
            if any(slots[slot] >= 0 for slots in self.slots):
                self._show(slot)


def _assign(slots: list[int], wanted: list[int]) -> list[int]:
    """Put `wanted` entries into `slots` in place, moving none that is there already; the slots that changed."""
    missing = [entry for entry in wanted if entry not in slots]
    free = [slot for slot, entry in enumerate(slots) if entry not in wanted]
    changed = free[: len(missing)]
    for slot, entry in zip(changed, missing, strict=True):
        slots[slot] = entry
    return changed
