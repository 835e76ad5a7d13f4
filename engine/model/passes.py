"""The passes of a step: what the network computes from one decision of the host to the next.

All that they keep between steps is in buffers that stay in place, and whatever else they need is given as tensors. So
each can be recorded once and launched as a whole (graphs.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.codec import side_by_side
from engine.model.entry import Entry, pack, unpack
from engine.model.graphs import Capture, Graphs
from engine.model.kv_cache import KVCache, span
from engine.model.machine import constant
from engine.model.memory import quantise, restore
from engine.model.network import WorldModel
from engine.model.novelty import is_known
from engine.model.pictures import Pictures
from engine.model.reprojection import Picked, Shown
from engine.model.rope import Place, place_tokens
from engine.model.sampler import denoise
from engine.model.sweep import OLDER, SHRINK, shrink
from engine.model.weighing import Weighing

LOOK_AHEAD = 3.0  # frames of the present turn by which memory is chosen ahead
ANCHOR_REACH = 2.0  # pose units the camera may move before positions are measured anew
ENTRIES_AT_ONCE = 256  # entries written into memory slots, or made pictures of, at once
COMPILED_AT_ONCE = 64  # the same where a compiler makes them, which takes many seconds for each number


class Passes:
    """What B sessions that step together hold on the device, and the passes over it.

    latents are [B, rows, columns, channels], actions [B, size] as the world encodes them, poses and motions
    [B, SIZE], anchors [B, 2], times [B, 1], frame numbers.
    """

    def __init__(self, model: WorldModel, batch: int, record: Capture | None = None) -> None:
        settings, device = model.settings, model.device
        self.model, self.batch, self.graphs = model, batch, Graphs(record)
        self.cache = KVCache(model, batch)
        window, kind = settings.recent_frames, {"dtype": model.dtype, "device": device}
        self.recent_tokens = torch.zeros(batch, window, settings.frame_tokens, settings.dim, **kind)
        self.recent_poses = torch.zeros(batch, window, poses.SIZE, device=device)
        small = settings.height // SHRINK, settings.width // SHRINK
        self.recent_pictures = torch.zeros(batch, window, 3, *small, **kind)
        frames, (rows, columns, _) = settings.memory_entries + 1, settings.latent_shape  # of each slot; the last one
        size = 3, settings.height, settings.width
        self.picture = side_by_side(torch.zeros(batch, *size, **kind))  # what was decoded last
        # The host of a CPU waits for nothing by looking at what was picked: so only what is looked at is decoded. Of a
        # single session only the cells that are seen are read, of pictures in the type that they are sampled in.
        self.lazy = device.type == "cpu" and record is None
        self.alone = self.lazy and batch == 1 and not model.compiled
        sampled = torch.promote_types(model.dtype, torch.float32) if self.alone else model.dtype
        self.flags = torch.zeros(2, batch, frames, dtype=torch.bool, device=device)
        self.shown = Shown(
            side_by_side(torch.zeros(batch, frames, *size, dtype=sampled, device=device)),
            torch.ones(batch, frames, rows, columns, device=device),
            torch.zeros(batch, frames, poses.SIZE, device=device),
            *self.flags,
        )
        self.unknown = torch.zeros(batch, dtype=torch.bool, device=device)  # what `judge` would say of no view
        self.foretold = torch.zeros(batch, rows, columns, device=device)  # nearness of the coming frame; 0: not known
        self.latents = torch.zeros(batch, frames, *settings.latent_shape, dtype=model.dtype, device=device)
        self.undrawn = torch.zeros(batch, frames, dtype=torch.bool, device=device)  # whose picture is yet to be made
        self.pictures = Pictures() if self.alone else None
        # Those of a single session one by one, so that what a slot shows does not depend on what changed with it.
        self.at_once = 1 if batch == 1 else COMPILED_AT_ONCE if model.compiled else ENTRIES_AT_ONCE
        self.weighs = False  # whether the next frame tells how much it attends to each slot
        self.weights: Tensor | None = None  # what the last frame told, [B, slots] (weighing.py)

    def clear(self) -> None:
        """Make the buffers as they were at first."""
        recent = self.recent_tokens, self.recent_poses, self.recent_pictures
        for held in (*self.cache.buffers, *recent, *self.shown, self.picture, self.undrawn, self.foretold):
            held.zero_()
        self.shown.nearness.fill_(1)
        if self.pictures is not None:
            self.pictures.clear()
        self.weighs, self.weights = False, None

    def look(
        self, pose: Tensor, velocity: Tensor, before: Tensor, action: Tensor, anchor: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The cameras that memory is chosen for [B, 2, SIZE], the last of them where the coming frame is seen from, and
        how far the present pose is from the anchor [B]."""
        views, far = self.graphs.call(self._look, (), pose, velocity, before, action, anchor)
        return views, far

    def judge(self) -> Tensor:
        """Whether the memory slots show the last frame already, so that no more need be kept of it: bool [B]."""
        return self.graphs.call(self._judge, ())[0]

    def choose(
        self, count: int, seen_from: Tensor, told: Tensor, known: Tensor, views: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`memory_bank.choose` among entries at poses [B, N, SIZE], of which more is `told` (banks.py).

        Returns indices, -1 where none is left, then what `judge` said, `known`, and whether `far` is too far: int64
        [B, count + 2]; and the last of the views [B, SIZE] at the height at which these entries know the ground there.
        """
        chosen, asked = self.graphs.call(self._choose, (count,), seen_from, told, known, views, far)
        return chosen, asked

    def imagine(
        self, levels: Sequence[float], noise: Tensor, asked: Tensor, behind: Tensor, anchor: Tensor, time: Tensor,
        action: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The frame after `action` out of noise [B, 1, rows, columns, channels]: its latent and pose. behind: as of
        `WorldModel.stop`."""
        given = noise, asked, behind, anchor, time, action
        latent, pose, *weights = self.graphs.call(self._imagine, (tuple(levels), self.weighs), *given)
        self.weighs, self.weights = False, weights[0] if weights else None
        return latent, pose

    def commit(
        self, ring: int, finishes: bool, decoded: bool, own: bool, latent: Tensor, action: Tensor, pose: Tensor,
        previous: Tensor, anchor: Tensor, time: Tensor,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Write a finished frame into place `ring` of the recent ones. previous: the pose of the frame before it.

        decoded: whether this latent was the last that `decode` was given. own: whether the network drew it.

        Returns its motion, and, where it finishes a block, what the banks keep of that (see entry.py), [B, bytes].
        """
        given = latent, action, pose, previous, anchor, time
        place = ring if self.graphs.record is None else None  # found by the device: one recording serves for all
        motion, *kept = self.graphs.call(self._commit, (place, finishes, decoded, own), *given)
        return motion, kept[0] if kept else None

    def rewrite(self, anchor: Tensor, time: Tensor) -> None:
        """Write the keys and values of the recent frames anew; time: of the coming frame."""
        self.graphs.call(self._rewrite, (), anchor, time)

    def show(self, kept: Tensor, where: Tensor, anchor: Tensor, frames: bool = True) -> None:
        """Write K entries [K, bytes] into memory slots of sessions: `where` [2, K] says of which ones, and which.

        frames: also make their frames references, which depend on no anchor.
        """
        self.graphs.call(self._show, (frames,), kept, where, anchor)

    def empty(self, rows: Tensor, slots: Tensor) -> None:
        """Have memory slots [K] of sessions [K] show nothing."""
        self.cache.empty_slots(rows, slots)
        self.shown.there[rows, slots] = torch.zeros_like(rows, dtype=torch.bool)

    def decode(self, latent: Tensor) -> Tensor:
        """The frames of latents, uint8 [B, height, width, 3]."""
        return self.graphs.call(self._decode, (), latent)[0]

    def prepare(self, asked: Tensor, anchor: Tensor, time: Tensor, action: Tensor) -> tuple[Place, Tensor, Tensor]:
        """Places of the coming frame's tokens, the scaled action, and what earlier frames show of it."""
        place = self.model.place(time, poses.relative_to(asked.unsqueeze(1), anchor))
        last = torch.full((self.batch, 1), self.model.settings.memory_entries, device=asked.device)
        reproject, shown = self.model.generator.reproject, self.shown
        picked = reproject.pick(shown, last, asked.unsqueeze(1))
        if self.lazy:
            self._draw(picked)
        given = shown, picked, reproject.find(shown.nearness, shown.poses, picked)
        if self.model.settings.trusts_memory:
            self.foretold.copy_(self.model.foretell(given[2]))
        reference = reproject.read_seen(*given) if self.alone else reproject.read_found(*given)
        return place, self.model.scale_action(action).unsqueeze(1).to(self.model.dtype), reference.unsqueeze(1)

    def _draw(self, picked: Picked) -> None:
        """Make the pictures of frames that were picked for the first time; of a single session one by one."""
        rows = picked.rows.expand_as(picked.index)
        wanted = (picked.there & self.undrawn[rows, picked.index]).nonzero(as_tuple=True)
        where = rows[wanted], picked.index[wanted]
        for row, slot in zip(*(part.split(self.at_once) for part in where), strict=True):
            if len(row):
                latents, refer = self.latents[row, slot], self.model.refer
                found = refer(latents) if self.pictures is None else self.pictures.find(latents, refer)
                self.shown.pictures[row, slot] = found.to(self.shown.pictures.dtype)
                self.undrawn[row, slot] = torch.zeros_like(row, dtype=torch.bool)

    def show_last(
        self, ring: int | Tensor, latent: Tensor, tokens: Tensor, pose: Tensor, time: Tensor, own: bool,
        decoded: bool = False,
    ) -> None:  # fmt: skip
        """Make the frame just committed, with its tokens [B, 1, ...], a reference for the next one.

        Those before it, as far as there are any at its `time`, tell how near what it shows is.
        """
        model, shown, last = self.model, self.shown, self.model.settings.memory_entries
        picture = self.picture if decoded else model.refer(latent.to(model.dtype))
        shown.pictures[:, last] = picture
        if self.lazy:
            self.latents[:, last] = latent
        guess, sweep, window = model.encoder.nearness(tokens), model.encoder.sweep, self.cache.window
        if sweep is not None:
            self.recent_pictures[:, span(ring)] = shrink(picture.unsqueeze(1))
            row = torch.arange(-min(OLDER, window - 1), 1, device=pose.device).add(ring) % window
            guess = sweep.last(guess, self.recent_pictures[:, row], self.recent_poses[:, row], time)
        keeps = own and model.settings.trusts_memory
        shown.nearness[:, last] = model.keep_shape(self.foretold, guess[:, 0]) if keeps else guess[:, 0]
        shown.poses[:, last] = pose
        self.flags[:, :, last] = constant(((True,), (own,)), self.flags)

    def show_frames(self, entry: Entry, rows: Tensor, slots: Tensor) -> None:
        """Make the frames of K entries references, as `show` does beside keys and values."""
        shown, place = self.shown, (rows, slots)
        frames = restore(entry.latents, entry.latent_scales, self.latents.shape[-1], self.model.dtype)
        if self.lazy:
            self.latents[place], self.undrawn[place] = frames, torch.ones_like(rows, dtype=torch.bool)
        else:
            shown.pictures[place] = self.model.refer(frames)
        shown.nearness[place], shown.poses[place] = entry.nearness.float(), entry.poses
        shown.there[place] = torch.ones_like(rows, dtype=torch.bool)

    def _look(
        self, pose: Tensor, velocity: Tensor, before: Tensor, action: Tensor, anchor: Tensor
    ) -> tuple[Tensor, ...]:
        asked, _ = self.model.ask(pose, velocity, before, action)
        ahead = poses.turn(asked, torch.rad2deg(velocity[:, 2] / poses.MOTION_SCALE[2]) * LOOK_AHEAD)
        return torch.stack([ahead, asked], dim=1), (pose[:, :2] - anchor).norm(dim=-1)

    def _judge(self) -> tuple[Tensor]:
        return (is_known(self.model.settings, self.shown, self._draw if self.lazy else None),)

    def _choose(
        self, count: int, seen_from: Tensor, told: Tensor, known: Tensor, views: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor]:
        chosen, asked = self.model.recall(count, seen_from, told, views)
        return torch.cat([chosen, known.unsqueeze(1), (far >= ANCHOR_REACH).unsqueeze(1)], dim=1), asked

    def _imagine(
        self, levels: Sequence[float], weighs: bool, noise: Tensor, asked: Tensor, behind: Tensor, anchor: Tensor,
        time: Tensor, action: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        asked = self.model.stop(self.shown, asked, behind)
        place, scaled, reference = self.prepare(asked, anchor, time, action)
        context = Weighing(self.cache) if weighs else self.cache
        look = self.model.generator.looking(scaled, place, context, reference, noise.dtype)
        latent, motion = denoise(look, noise, levels)
        latent = self.model.codec.bound(latent)
        weights = (context.shares(),) if isinstance(context, Weighing) else ()
        return latent[:, 0], self.model.arrive(asked, motion[:, 0]), *weights

    def _commit(
        self, place: int | None, finishes: bool, decoded: bool, own: bool, latent: Tensor, action: Tensor, pose: Tensor,
        previous: Tensor, anchor: Tensor, time: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        model, dtype = self.model, self.model.dtype
        motion = model.look_back(previous, pose)
        told = (part.unsqueeze(1).to(dtype) for part in (latent, action, motion))
        tokens = model.encode_frames(*told)
        ring = time[:1, 0] % self.cache.window if place is None else place
        self.recent_tokens[:, span(ring)] = tokens
        self.recent_poses[:, span(ring)] = pose.unsqueeze(1)
        self.cache.write_recent(ring, tokens, time, poses.relative_to(pose.unsqueeze(1), anchor))
        self.show_last(ring, latent, tokens, pose, time, own, decoded)
        return (motion, self._memorise(ring, latent)) if finishes else (motion,)

    def _rewrite(self, anchor: Tensor, time: Tensor) -> tuple[Tensor, ...]:
        last, window = time - 1, self.cache.window
        for ring in range(window):
            behind = (last - ring) % window
            where = poses.relative_to(self.recent_poses[:, ring : ring + 1], anchor)
            self.cache.write_recent(ring, self.recent_tokens[:, ring : ring + 1], last - behind, where)
        return ()

    def _memorise(self, ring: int | Tensor, latent: Tensor) -> Tensor:
        settings, last = self.model.settings, self.model.settings.memory_entries
        if self.pictures is not None:
            self.pictures.put(self.latents[:, last], self.shown.pictures[:, last])
        block = torch.arange(1 - settings.block_frames, 1, device=latent.device).add(ring) % settings.recent_frames
        seen_from = self.recent_poses[:, block]
        entries = self.model.compress_blocks(self.recent_tokens[:, block], seen_from)
        nearness = self.shown.nearness[:, last]
        return pack(settings, [*quantise(entries), seen_from[:, -1], *quantise(latent), nearness])

    def _show(self, frames: bool, kept: Tensor, where: Tensor, anchor: Tensor) -> tuple[Tensor, ...]:
        for some, (rows, slots) in zip(kept.split(self.at_once), where.split(self.at_once, dim=1), strict=True):
            entry = unpack(self.model.settings, some)
            if frames:
                self.show_frames(entry, rows, slots)
            tokens = restore(entry.tokens, entry.scales, self.model.settings.memory_dim, self.model.dtype).unsqueeze(1)
            place = self.place_undated(entry.poses, anchor[rows])
            self.cache.write_slots(rows, slots, self.model.generator.remembered(tokens, place, dated=False))
        return ()

    def place_undated(self, seen_from: Tensor, anchor: Tensor) -> Place:
        """Places of the tokens of K entries seen from poses [K, SIZE], without a time; anchor: [K, 2]."""
        where = seen_from.unsqueeze(1)
        time, where = torch.zeros_like(where[..., 0]), poses.relative_to(where, anchor)
        if self.batch == 1:
            return self.model.place(time, where)
        return place_tokens(self.model.settings, time, where, self.model.dtype, self.model.tables)

    def _decode(self, latent: Tensor) -> tuple[Tensor]:
        frames, shown = self.model.draw(latent)
        self.picture.copy_(frames)
        return (shown,)
