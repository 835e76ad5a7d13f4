"""Moments: what of a session is new after each frame, from which the whole of its state can be built again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.footing import Way
from engine.model.memory_bank import MemoryBank
from engine.model.recall import Recall
from engine.model.rollout import Rollout
from engine.model.sweep import OLDER


@dataclass(frozen=True)
class Moment:
    """A session just after it committed one frame. Tensors are never written to, so moments share them.

    The keys and values of a frame follow from its latent, action and motion; those of a memory slot from
    the bank's entry. So the last few moments and the bank are all of a session, at tens of kilobytes a frame.
    """

    num_frames: int  # committed so far, this one included
    latent: Tensor  # [1, rows, columns, channels]
    action: Tensor  # [1, size], as the world encodes it
    motion: Tensor  # [1, SIZE], scaled (see pose.py)
    pose: Tensor  # [1, SIZE]
    anchor: Tensor  # [1, 2]
    slots: tuple[int, ...]  # which entry each memory slot holds, -1 for none
    num_entries: int  # in the bank
    random: Tensor  # uint8, the generator's state
    nearness: Tensor  # [1, rows, columns], of the frame; 0 where files of before did not say
    own: bool  # whether the network drew it
    entry: Tensor | None = None  # the bank's newest, as bytes, where it may be taken back
    fleeting: bool = False  # whether it will be
    picture: bytes | None = None  # the frame as it was told, zlib; None where the latent's decoding is the frame
    recall: Recall = Recall()  # what of memory the next frame may use


def capture(rollout: Rollout, latent: Tensor, action: Tensor, picture: bytes | None) -> Moment:
    """The moment of a rollout of one session that has just committed `latent` after `action`."""
    return Moment(
        num_frames=rollout.num_frames,
        latent=latent,
        action=action,
        motion=rollout.velocity,
        pose=rollout.pose,
        anchor=rollout.anchor,
        slots=tuple(rollout.slots[0].tolist()),
        num_entries=rollout.banks[0].num_entries,
        random=rollout.randoms[0].get_state(),
        nearness=rollout.shown.nearness[:, -1].clone(),
        own=rollout.own,
        entry=rollout.newest(),
        fleeting=rollout.banks[0].fleeting,
        picture=picture,
        recall=rollout.banks[0].recall,
    )


@torch.no_grad()
def resume(rollout: Rollout, moments: Sequence[Moment], bank: MemoryBank, way: Way) -> None:
    """Bring a rollout of one session to where it was after the last of `moments`; what follows is the same to the bit.

    moments: as many as the network has recent frames, or all since the first frame. bank: becomes the rollout's own,
    cut to the entries that there were. way: of all frames, and of what may have come after them.
    """
    model, last = rollout.model, moments[-1]
    window, seen = model.settings.recent_frames, OLDER if model.settings.sweep else 0
    bank.keep(last.num_entries)
    if last.entry is not None and not torch.equal(bank.rows[last.num_entries - 1], last.entry):
        bank.keep(last.num_entries - 1)
        bank.put(last.entry)
    bank.recall, bank.fleeting = last.recall, last.fleeting
    rollout.banks[0] = bank
    rollout.footing.go(way[: last.num_frames])
    rollout.num_frames = last.num_frames
    rollout.pose, rollout.velocity, rollout.action, rollout.anchor = last.pose, last.motion, last.action, last.anchor
    rollout.slots[0] = last.slots
    rollout.shown.there.fill_(False)
    rollout.randoms[0].set_state(last.random)
    rollout.drawn = None
    rollout.passes.foretold.zero_()
    rollout.recent_tokens.zero_()
    rollout.recent_poses[:] = moments[0].pose
    for moment in moments[-window:]:
        ring = (moment.num_frames - 1) % window
        tokens = model.encode_frames(
            moment.latent.unsqueeze(1).to(model.dtype),
            moment.action.unsqueeze(1).to(model.dtype),
            moment.motion.unsqueeze(1).to(model.dtype),
        )
        rollout.recent_tokens[:, ring] = tokens[:, 0]
        rollout.recent_poses[:, ring] = moment.pose
        if last.num_frames - moment.num_frames <= seen:
            time = torch.full((1, 1), moment.num_frames - 1, device=model.device)
            rollout.passes.show_last(ring, moment.latent, tokens, moment.pose, time, moment.own)
    near = rollout.shown.nearness[:, -1]
    near.copy_(torch.where(last.nearness > 0, last.nearness, near))
    rollout.cache.clear()
    rollout.show_again()
