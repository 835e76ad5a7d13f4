"""The rollout: denoise, commit, memorise, repeat. Training, play, environments and benches all step this one loop."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.banks import Banks, assign
from engine.model.entry import unpack
from engine.model.footing import Footing
from engine.model.lending import give_back, lend
from engine.model.machine import send
from engine.model.memory import as_kept
from engine.model.network import WorldModel
from engine.model.passes import ANCHOR_REACH, ENTRIES_AT_ONCE
from engine.model.rope import Place

CLEAN = 0.05  # noise level at which a true frame is shown to the generator, to have its motion read off
STRIDE = 32  # entries by which larger groups of them grow that are shown at once
SMALL = "blocks", "every", "none"  # memories of which slots show no exact tokens
SHOWN_AT_ONCE = 64  # frames of a full history written into the cache at once


class Rollout:
    """B sessions stepping together: their KV cache, memory banks, believed poses and random state.

    Latents are [B, rows, columns, channels]; actions [B, size] as the world encodes them; poses [B, SIZE] (see
    pose.py). `memory` says what the memory slots hold: "blocks", the memory model's entries of blocks that showed
    something new (novelty.py); "every", those of all blocks; "plain", each block's exact last frame; "none", nothing;
    "full", every exact frame that has left the window, all of them attended to, at a cost that grows with the history
    (for measuring).
    graphs: have a GPU launch each pass as a whole (graphs.py); nothing else changes.
    """

    def __init__(
        self, model: WorldModel, batch: int, levels: Sequence[float], seeds: Sequence[int], memory: str = "blocks",
        graphs: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.batch, self.levels, self.memory = model, batch, list(levels), memory
        self.device = model.device
        self.randoms = [torch.Generator(device=self.device).manual_seed(seed) for seed in seeds]
        self.decoded: Tensor | None = None  # the latents whose frames were fetched last
        self.proposed: Tensor | None = None  # the latents that were generated last
        self.own = False  # whether the last frames were these
        self.drawn: Tensor | None = None  # noise of the coming frame, if it was drawn ahead
        self.thrifty = memory == "blocks" and model.settings.trusts_memory  # whether only what is new is kept
        self.passes = passes = lend(model, batch, graphs and memory in SMALL)
        if passes.graphs.record is not None:
            weakref.finalize(self, give_back, passes).atexit = False
        self.cache, self.shown = passes.cache, passes.shown
        self.recent_tokens, self.recent_poses = passes.recent_tokens, passes.recent_poses
        self.banks = Banks(model.settings, self.device, batch, one_shape=model.compiled)
        self.footing = Footing(model, batch)
        self.num_frames = 0
        self.told_time = (-1, torch.zeros(0))  # a frame's number, and the same on the device
        self.plain_tokens: list[Tensor] = []
        self.past: list[tuple[Tensor, Tensor]] = []  # "full": tokens [B, tokens, dim] and pose [B, SIZE] of all frames
        self.num_shown = 0  # "full": frames of the past that the cache shows
        self.pose = torch.zeros(batch, poses.SIZE, device=self.device)
        self.here: tuple[Tensor, list[list[float]]] | None = None  # a pose of these, and the same on the host
        self.velocity = torch.zeros(batch, poses.SIZE, device=self.device)
        self.action = torch.zeros(batch, model.settings.action_size, device=self.device)  # the last one
        self.anchor = torch.zeros(batch, 2, device=self.device)
        self.slots = np.full((batch, model.settings.memory_entries), -1)  # which entry each memory slot holds

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
        asked, self.decoded = self._turn(action), None
        given = self._noise(), asked, self.footing.behind, self.anchor, self._time(), action
        latent, seen_from = self.passes.imagine(levels or self.levels, *given)
        # What memory will show of a frame then need not be decoded again. Of every frame: in a batch, blocks end
        # with other frames than in a session of its own.
        if self.passes.lazy:
            latent = as_kept(latent)
        self.proposed = latent
        return latent, self.footing.keep(asked, seen_from)

    @torch.no_grad()
    def observe(self, latent: Tensor, action: Tensor, pose: Tensor, own: Tensor | None = None) -> None:
        """Commit a finished frame: latent [B, ...] that followed `action` [B, size], seen from `pose` [B, SIZE].

        own: bool [B], whether the network drew it; if not told, all or none, as it is what `propose` returned last.
        """
        settings, pose = self.model.settings, pose.float()
        ring = self.num_frames % settings.recent_frames
        finishes = (self.num_frames + 1) % settings.block_frames == 0
        self.own = latent is self.proposed
        given = latent, action, pose, self.pose, self.anchor, self._time()
        self.velocity, kept = self.passes.commit(ring, finishes, latent is self.decoded, self.own, *given)
        if own is not None:
            self.shown.own[:, settings.memory_entries] = own
        self.pose, self.action = pose, action
        self.footing.add(pose)
        self.num_frames += 1
        if self.memory == "full":
            self.past.append((self.recent_tokens[:, ring].clone(), pose))
        if kept is not None:
            self._leave()
            self.banks.append(kept)
            if self.memory == "plain":
                self.plain_tokens.append(self.recent_tokens[:, ring].clone())

    def decode(self, latent: Tensor) -> Tensor:
        """The frames of latents [B, ...], uint8 [B, height, width, 3]."""
        self.decoded = latent
        return self.passes.decode(latent)

    def draw_ahead(self) -> None:
        """Draw the coming frame's noise now, while the device is busy. Random states then are a frame ahead."""
        if self.drawn is None:
            self.drawn = self._noise()

    def use_random(self, row: int, random: torch.Generator) -> None:
        """Have a session's noise drawn from this from now on."""
        self.randoms[row] = random
        if self.drawn is not None:
            self.drawn[row] = self._draw([row])[0]

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
        return self.model.arrive(asked, motion[:, 0])

    def _prepare(self, action: Tensor) -> tuple[Tensor, Place, Tensor, Tensor]:
        """For the frame after `action` [B, size]: where it is seen from, its tokens' places, the scaled action, and
        what earlier frames show of it."""
        asked = self._turn(action)
        asked = self.model.stop(self.shown, asked, self.footing.behind)
        return asked, *self.passes.prepare(asked, self.anchor, self._time(), action)

    def _turn(self, action: Tensor) -> Tensor:
        """Where the frame after `action` [B, size] is seen from, [B, SIZE], with the context made ready for it."""
        views, far = self.passes.look(self.pose, self.velocity, self.action, action, self.anchor)
        arriving = self.footing.send_for(self.action, action)
        asked, rows, slots, gone = self._recall(views, far)
        recalling = [row for row, bank in enumerate(self.banks) if bank.recall.on and self.memory != "none"]
        asked = self.footing.lead(asked, arriving, recalling)
        # Positions are measured from the camera again once it has gone far: products of large numbers lose digits.
        self._show(rows, slots)
        if gone:
            self.anchor = self.pose[:, :2].clone()
            self.show_again(frames=False)
        if self.memory == "full":
            self._show_past()
        return asked

    def present(self) -> list[list[float]]:
        """Where the cameras are [B, SIZE], on the host. It waits for that, unless it came with the frames."""
        if self.here is None or self.here[0] is not self.pose:
            self.here = self.pose, self.pose.tolist()
        return self.here[1]

    def newest(self) -> Tensor | None:
        """The newest entry [bytes] of a session alone, if it may be taken back."""
        bank, fresh = self.banks[0], self.num_frames % self.model.settings.block_frames == 0
        unsure = bank.fleeting or (fresh and self.thrifty)
        return bank.rows[bank.num_entries - 1].clone() if unsure and bank.num_entries else None

    def _time(self) -> Tensor:
        """The number of the coming frame, [B, 1]."""
        if self.told_time[0] != self.num_frames:
            time = torch.full((self.batch, 1), self.num_frames, device=self.device)
            self.told_time = self.num_frames, time
        return self.told_time[1]

    def _noise(self) -> Tensor:
        drawn, self.drawn = self.drawn, None
        return self._draw(range(self.batch)) if drawn is None else drawn

    def _draw(self, rows: Sequence[int]) -> Tensor:
        """Noise [n, 1, ...] of some of the sessions."""
        noise = torch.empty(len(rows), 1, *self.model.settings.latent_shape, device=self.device)
        for place, row in zip(noise.unbind(), rows, strict=True):
            place.normal_(generator=self.randoms[row])
        return noise.to(self.model.dtype)

    def _recall(self, views: Tensor, far: Tensor) -> tuple[Tensor, np.ndarray, np.ndarray, bool]:
        """Decide which entries the coming frame may need: the sessions and memory slots [K] that change.

        Before these, from where it is seen [B, SIZE], as memory knows the ground there; after them, whether any camera
        has gone too far from its anchor, so that the host waits for all at once.
        """
        num_slots = self.slots.shape[1]
        fresh = self.num_frames % self.model.settings.block_frames == 0
        known = self.passes.judge() if fresh and self.thrifty else self.passes.unknown
        asked = None if self.memory == "none" else self.banks.candidates(self.present, num_slots, fresh)
        if asked is None:
            nothing = np.zeros(0, dtype=np.int64)
            return views[:, -1], nothing, nothing, bool((far.cpu() >= ANCHOR_REACH).any())
        found, level = self.passes.choose(int(asked.free.max()), asked.seen_from, asked.told, known, views, far)
        chosen = found.cpu().numpy()
        for row in np.flatnonzero(chosen[:, -2]).tolist():
            bank = self.banks[row]
            bank.fleeting = bank.fleeting or bank.num_entries - 1 not in self.slots[row]  # which shows itself
        wanted = self.banks.wanted(asked, chosen[:, :-2], num_slots)
        return level, *assign(self.slots, wanted), bool(chosen[:, -1].any())

    def _leave(self) -> None:
        """Empty the memory slots of entries that go."""
        held = (self.slots == self.banks.leaving()[:, None]) & (self.slots >= 0)
        if held.any():
            self.slots[held] = -1
            places = send(np.stack(held.nonzero()), self.device)
            self.passes.empty(places[0], places[1])

    def _show(self, rows: np.ndarray, slots: np.ndarray, frames: bool = True) -> None:
        """Write what memory slots [K] of sessions [K] hold into the cache, and among the references."""
        while len(rows):
            count = min(len(rows), ENTRIES_AT_ONCE)
            if self.batch == 1:  # few shapes to record, and nothing is written twice
                count = 1 << (count.bit_length() - 1)
            self._show_some(rows[:count], slots[:count], frames)
            rows, slots = rows[count:], slots[count:]

    def _show_some(self, rows: np.ndarray, slots: np.ndarray, frames: bool) -> None:
        compiled = self.model.compiled and self.batch > 1
        if compiled or self.passes.graphs.record is not None:  # few shapes: the last is written again
            few = _few(len(rows), self.passes.at_once if compiled else 1)
            places = np.minimum(np.arange(few), len(rows) - 1)
            rows, slots = rows[places], slots[places]
        entries = self.slots[rows, slots]
        told = send(np.stack([rows, slots, entries]), self.device)
        kept = self.banks.read(told[0], told[2])
        if self.memory in SMALL:
            self.passes.show(kept, told[:2], self.anchor, frames)
            return
        entry, row, slot = unpack(self.model.settings, kept), told[0], told[1]
        if frames:
            self.passes.show_frames(entry, row, slot)
        if self.memory == "plain":
            tokens = torch.stack([self.plain_tokens[one][at] for at, one in zip(rows, entries, strict=True)])
            place = self.passes.place_undated(entry.poses, self.anchor[row])
            kv = self.model.generator.recent(tokens.unsqueeze(1), place, dated=False)
            self.cache.write_slots(row, slot, kv[self.model.settings.memory_readers])

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

    def show_again(self, frames: bool = True) -> None:
        """Write the recent frames, and the entries that the slots hold, into the cache anew.

        frames: their frames among the references too, which stay as they are when positions are measured anew.
        """
        self.num_shown = 0
        self.passes.rewrite(self.anchor, self._time())
        self._show(*np.nonzero(self.slots >= 0), frames=frames)


def _few(count: int, whole: int = 1) -> int:
    """`count` or a little more, so that few numbers occur: powers of two, and beyond STRIDE whole numbers of it; of
    `whole` in any case."""
    few = 1 << (count - 1).bit_length() if count <= STRIDE else -(-count // STRIDE) * STRIDE
    return -(-few // whole) * whole
