"""Pictures are moved to where geometry says, to the pixel, and what they show reaches the reference."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from engine.model.machine import sample_in_parts
from engine.model.network import WorldModel
from engine.model.reprojection import Shown, moves, pick_views
from engine.model.settings import CodecSettings, ModelSettings
from engine.model.warping import sample, sample_by_channel, warp, warp_seen

CODEC = CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1])
SETTINGS = ModelSettings(height=64, width=96, codec=CODEC, patch=2, dim=64, reference_dim=16, pixel_aspect=1.25)
CELLS = SETTINGS.latent_shape[0] * SETTINGS.latent_shape[1]
FOCAL = SETTINGS.width / 2 / math.tan(math.radians(SETTINGS.fov) / 2)  # pixels


def picture(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """[3, ...]: colours that vary smoothly with x and y, in pixels from the middle."""
    return torch.stack([torch.sin(x / 9), torch.cos(y / 7), torch.sin((x + y) / 11)])


def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(SETTINGS.height) + 0.5, torch.arange(SETTINGS.width) + 0.5, indexing="ij")
    return x - SETTINGS.width / 2, y - SETTINGS.height / 2


def moved(nearness: float, pose: list[float]) -> torch.Tensor:
    """The picture, seen from the origin, as it is seen from `pose` where everything is 1 / nearness away, [3, H, W]."""
    near = torch.full((1, 1, CELLS), nearness)
    _, back = moves(torch.zeros(1, 1, 4), torch.tensor([[pose]]))
    views = warp(SETTINGS, picture(*pixels())[None, None], near, back)
    return F.pixel_shuffle(views, SETTINGS.codec.stride)[0, 0]


def test_from_the_same_place_a_picture_is_itself() -> None:
    torch.testing.assert_close(moved(0.7, [0.0, 0.0, 0.0, 0.0]), picture(*pixels()), rtol=0, atol=2e-3)


@pytest.mark.parametrize("right", [0.02, -0.13])
def test_stepping_aside_moves_a_wall_by_its_nearness(right: float) -> None:
    x, y = pixels()
    expected = picture(x + right * 0.5 * FOCAL, y)[:, :, 12:-12]
    torch.testing.assert_close(moved(0.5, [0.0, right, 0.0, 0.0])[:, :, 12:-12], expected, rtol=0, atol=0.01)


def test_climbing_moves_a_wall_down_in_taller_pixels() -> None:
    x, y = pixels()
    expected = picture(x, y - 0.1 * 0.8 * FOCAL * SETTINGS.pixel_aspect)[:, 8:-8]
    torch.testing.assert_close(moved(0.8, [0.0, 0.0, 0.0, 0.1])[:, 8:-8], expected, rtol=0, atol=0.01)


def test_turning_moves_pictures_as_rays_turn() -> None:
    x, y = pixels()
    angle = math.radians(7)
    ahead = math.cos(angle) - x / FOCAL * math.sin(angle)
    there = FOCAL * (math.sin(angle) + x / FOCAL * math.cos(angle)) / ahead
    expected = picture(there, y / ahead)[:, :, :72]
    torch.testing.assert_close(moved(0.3, [0.0, 0.0, angle, 0.0])[:, 6:-6, :72], expected[:, 6:-6], rtol=0, atol=0.02)


@torch.no_grad()
def test_a_reference_follows_what_is_shown_and_says_when_nothing_is() -> None:
    torch.manual_seed(0)
    model = WorldModel(SETTINGS)
    count = SETTINGS.memory_entries + 1
    latents = torch.randn(1, count, *SETTINGS.latent_shape)
    pictures = model.refer(latents)
    assert pictures.shape == (1, count, 3, SETTINGS.height, SETTINGS.width) and pictures.abs().max() <= 1
    near, where = torch.ones(1, count, *SETTINGS.latent_shape[:2]), torch.zeros(1, count, 4)
    there = torch.ones(1, count, dtype=torch.bool)
    last, asked = torch.tensor([[count - 1]]), torch.zeros(1, 1, 4)

    def refer(pictures: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        return model.generator.reproject(Shown(pictures, near, where, there, torch.zeros_like(there)), last, asked)[0]

    reference = refer(pictures, there)
    assert reference.shape == (1, 1, *SETTINGS.latent_shape[:2], SETTINGS.codec.latent_channels + 1)
    assert float(reference[..., -1].min()) > 0.5 and float(reference[..., -1].max()) <= 1
    other = pictures.clone()
    other[:, -1] = 0
    assert not torch.allclose(refer(other, there)[..., :-1], reference[..., :-1])
    assert float(refer(pictures, torch.zeros_like(there))[..., -1].max()) < 1e-3


def views(model: WorldModel, there: list[bool]) -> tuple[Shown, torch.Tensor]:
    """Frames [1, N] of random pictures around a camera, the last of them last, some looking away; and where it is."""
    count, settings = model.settings.memory_entries + 1, model.settings
    turns = torch.linspace(-0.9, 0.9, count)
    turns[1::4] += math.pi
    track = torch.stack([0.3 * torch.randn(count), 0.3 * torch.randn(count), turns, 0.1 * torch.randn(count)], dim=-1)
    pictures = torch.rand(1, count, 3, settings.height, settings.width) * 2 - 1
    near = 0.2 + torch.rand(1, count, *settings.latent_shape[:2])
    own = torch.tensor([[False] * (count - 1) + [True]])
    return Shown(pictures, near, track[None], torch.tensor([there]), own), torch.tensor([[[0.1, -0.05, 0.04, 0.02]]])


EVERYTHING = [True] * (SETTINGS.memory_entries + 1)
WHAT_IS_THERE = {
    "everything": EVERYTHING,
    "those that look away": [index % 4 == 1 for index in range(len(EVERYTHING))],
    "the last": [False] * SETTINGS.memory_entries + [True],
    "nothing": [False] * len(EVERYTHING),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-5), (torch.float32, 5e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("there", WHAT_IS_THERE.values(), ids=WHAT_IS_THERE.keys())
@torch.no_grad()
def test_cells_that_are_seen_are_read_as_all_are(dtype: torch.dtype, tolerance: float, there: list[bool]) -> None:
    torch.manual_seed(0)
    model = WorldModel(SETTINGS).to(dtype)
    reproject, last = model.generator.reproject, torch.tensor([[len(there) - 1]])
    reproject.doubt.fill_(-0.5)
    for weight in (reproject.trust.weight, reproject.leave.weight):
        weight.normal_(0, 0.3)
    shown, asked = views(model, there)
    picked = reproject.pick(shown, last, asked)
    found = reproject.find(shown.nearness, shown.poses, picked)
    share = found.seen.float().mean()
    assert 0.2 < share < 0.9 if there == EVERYTHING else (share > 0) == there[-1]
    if there == EVERYTHING:
        assert found.seen.any(dim=2).sum() >= 2 and len(found.seen.sum(dim=2).unique()) > 2
    all_of_them = reproject.read(reproject.carry_over(shown._replace(pictures=shown.pictures.to(dtype)), picked, found))
    seen = reproject.read_seen(shown, picked, found)
    assert seen.dtype == dtype and all_of_them[..., :-1].std() > 0.05
    torch.testing.assert_close(seen, all_of_them, rtol=0, atol=tolerance)


@torch.no_grad()
def test_cells_that_are_seen_are_sampled_where_pictures_are() -> None:
    torch.manual_seed(0)
    model = WorldModel(SETTINGS)
    shown, asked = views(model, EVERYTHING)
    picked = pick_views(SETTINGS, shown, torch.tensor([[SETTINGS.memory_entries]]), asked)
    found = model.generator.reproject.find(shown.nearness, shown.poses, picked)
    pictures = shown.pictures[0, picked.index[0]]
    expected = warp(SETTINGS, pictures[None], found.nearness, found.moved)[0].flatten(2).transpose(1, 2)[found.seen[0]]
    cells = warp_seen(SETTINGS, list(pictures), found.nearness, found.moved, found.seen[0])
    assert cells.shape == expected.shape and 0 < len(cells) < found.seen.numel()
    torch.testing.assert_close(cells, expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_a_compiler_samples_and_reads_channel_by_channel_what_is_sampled_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    reproject = WorldModel(SETTINGS).generator.reproject
    shown, asked = views(WorldModel(SETTINGS), EVERYTHING)
    picked = pick_views(SETTINGS, shown, torch.tensor([[SETTINGS.memory_entries]]), asked)
    found = reproject.find(shown.nearness, shown.poses, picked)
    points = reproject.find_points(found)
    cells = sample(SETTINGS, shown.pictures[picked.rows, picked.index], points).unflatten(2, (3, -1)).flatten(4)
    for channel, colour in enumerate(sample_by_channel(SETTINGS, shown.pictures, picked, points)):
        torch.testing.assert_close(colour.transpose(2, 3), cells[:, :, channel], rtol=0, atol=1e-4)
    expected = reproject.read_views(shown.pictures, picked, found, points)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for made, plain in zip(reproject.read_views(shown.pictures, picked, found, points), expected, strict=True):
        torch.testing.assert_close(made, plain, rtol=0, atol=1e-4)


@pytest.mark.parametrize("trusts", [False, True])
def test_memory_counts_before_a_frame_just_drawn_where_settings_say_so(trusts: bool) -> None:
    settings = dataclasses.replace(SETTINGS, trusts_memory=trusts)
    count = settings.memory_entries + 1
    near, where = torch.ones(1, count, *settings.latent_shape[:2]), torch.zeros(1, count, 4)
    flags = torch.ones(2, 1, count, dtype=torch.bool)
    shown = Shown(torch.zeros(1, count, 3, settings.height, settings.width), near, where, *flags)
    reproject = WorldModel(settings).generator.reproject
    picked = reproject.pick(shown, torch.tensor([[count - 1]]), torch.zeros(1, 1, 4))
    seen = reproject.find(near, where, picked).seen
    assert seen[:, 1:].all() and bool(seen[:, 0].any()) is not trusts


@pytest.mark.parametrize("count, parts", [(1, 1), (1, 3), (7, 2), (8, 2), (9, 4)])
def test_a_picture_sampled_in_parts_is_the_same_to_the_bit(count: int, parts: int) -> None:
    random = torch.Generator().manual_seed(0)
    picture, places = torch.rand(3, 16, 24, generator=random), torch.rand(count, 5, 2, generator=random) * 3 - 1.5
    whole = F.grid_sample(picture[None], places[None], padding_mode="border", align_corners=False)[0]
    assert torch.equal(sample_in_parts(picture, places, parts), whole.transpose(0, 1))
