"""How much a frame attends to each memory entry is measured beside its drawing, and only of that frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import Engine
from engine.model import layers
from tests.test_core import WALK, frames_of


def test_measuring_what_is_attended_to_changes_no_frame(walked: Engine) -> None:
    before = walked.snapshot()
    expected = frames_of(walked, 9)
    assert all(one.weight is None for one in walked.attended())
    walked.rewind(before)
    for index, frame in enumerate(expected):
        walked.attended(weigh=index % 3 > 0)
        np.testing.assert_array_equal(frame, walked.step(WALK[index % 4]).frame)
        weights = [one.weight for one in walked.attended()]
        assert len(weights) == 4 and all((weight is not None) == (index % 3 > 0) for weight in weights)


def test_the_weights_are_the_share_of_the_attention_that_an_entry_got(
    walked: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames_of(walked, 7)
    seen, attend = [], layers.attend

    def watched(query, key, value, mask=None):
        seen.append((query, key.clone()))
        return attend(query, key, value, mask)

    walked.attended(weigh=True)
    with monkeypatch.context() as patch:
        patch.setattr(layers, "attend", watched)
        walked.step(WALK[1])
    settings = walked.model.settings
    size = settings.frame_tokens * (settings.memory_entries + settings.recent_frames + 1)
    # The one layer that reads memory, in the last denoise step.
    query, key = [(query, key) for query, key in seen if key.shape[2] == size][-1]
    told = torch.einsum("bhqc,bhkc->bhqk", query.double(), key.double()) / query.shape[-1] ** 0.5
    share = told.exp() / told.exp().sum(dim=-1, keepdim=True)
    by_slot = [float(part.sum(dim=-1).mean()) for part in share.split(settings.frame_tokens, dim=-1)]
    attended = walked.attended()
    assert len(attended) == 4 and len({round(one.weight or 0, 6) for one in attended}) == 4
    for one in attended:
        assert one.weight == pytest.approx(by_slot[one.slot], rel=1e-3)


def test_weights_are_of_the_frame_that_is_present(walked: Engine) -> None:
    def known() -> bool:
        weights = [one.weight for one in walked.attended(weigh=True)]
        return bool(weights) and None not in weights

    def step() -> bool:
        walked.step(WALK[0])
        return known()

    known()
    assert step()
    before = walked.snapshot()
    assert step()
    frame = walked.rewind(frames=1)
    assert not known() and step()
    walked.rewind(before)
    assert not known() and step()
    walked.observe(frame, WALK[1])
    assert not known() and step()
    walked.reset(1)
    assert not known() and step()
    walked.attended()
    assert not step()
