"""Every figure against a value found another way: by hand, by a slow loop, or by another library."""

import builtins
import math
import re

import numpy as np
import pytest
import torch

from engine.bench import metrics
from engine.bench.metrics import flip, match, psnr, ssim, statistics
from engine.errors import EngineError, FrameError

HEIGHT, WIDTH = 24, 37


def pictures():
    """Two different pictures of smooth ramps, by formula, so that other programs can draw them too."""
    y, x, channel = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
    a = (x * 5 + y * 3 + channel * 40) % 256
    b = (x * 5 + y * 4 + channel * 38 + (x * y) % 7) % 256
    return a.astype(np.uint8), b.astype(np.uint8)


def noise(*leading, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*leading, HEIGHT, WIDTH, 3), dtype=np.uint8)


def flat(colour):
    return np.full((HEIGHT, WIDTH, 3), colour, dtype=np.uint8)


def test_psnr_by_hand():
    assert psnr(flat(100), flat(110)) == pytest.approx(20 * math.log10(255 / 10), abs=1e-12)
    assert psnr(flat(0), flat(255)) == 0.0
    one_off = flat(7)
    one_off[3, 4, 1] += 1
    assert psnr(one_off, flat(7)) == pytest.approx(10 * math.log10(255**2 * HEIGHT * WIDTH * 3), abs=1e-9)


def test_psnr_does_not_wrap_around_in_bytes():
    assert psnr(flat(250), flat(5)) == psnr(flat(5), flat(250)) == pytest.approx(20 * math.log10(255 / 245))


def test_psnr_of_equal_frames_is_the_ceiling():
    assert psnr(flat(9), flat(9)) == math.inf
    assert psnr(flat(9), flat(9), ceiling=60) == 60
    assert psnr(flat(100), flat(101), ceiling=40) == 40


def test_psnr_and_ssim_equal_scikit_image():
    # scikit-image 0.26.0: peak_signal_noise_ratio(a, b, data_range=255), and structural_similarity of the BT.601
    # luminance with data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False.
    a, b = pictures()
    assert psnr(a, b) == pytest.approx(14.123701128630266, abs=1e-10)
    assert ssim(a, b) == pytest.approx(0.7149236501818784, abs=1e-10)


def test_ssim_equals_a_loop_over_windows():
    a, b = noise(), noise(seed=1)
    x, y = a @ np.array([0.299, 0.587, 0.114]), b @ np.array([0.299, 0.587, 0.114])
    ramp = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(ramp, ramp) / np.outer(ramp, ramp).sum()
    scores = []
    for row in range(HEIGHT - 10):
        for column in range(WIDTH - 10):
            p, q = x[row : row + 11, column : column + 11], y[row : row + 11, column : column + 11]
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            var_p, var_q = (weights * (p - mean_p) ** 2).sum(), (weights * (q - mean_q) ** 2).sum()
            cov = (weights * (p - mean_p) * (q - mean_q)).sum()
            top = (2 * mean_p * mean_q + 6.5025) * (2 * cov + 58.5225)
            scores.append(top / ((mean_p**2 + mean_q**2 + 6.5025) * (var_p + var_q + 58.5225)))
    assert ssim(a, b) == pytest.approx(np.mean(scores), abs=1e-10)


def test_ssim_by_hand():
    assert ssim(noise(), noise()) == pytest.approx(1.0, abs=1e-12)
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(100), flat(120)) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-9)


def test_ssim_refuses_frames_smaller_than_its_window():
    small = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(FrameError, match="at least 11 pixels"):
        ssim(small, small)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_batch_is_its_frames_one_by_one_in_any_layout(metric, monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", 4)
    a, b = noise(2, 5), noise(2, 5, seed=1)
    scores = metric(a, b)
    assert (scores.shape, scores.dtype) == ((2, 5), np.float64)
    for row in range(2):
        for column in range(5):
            assert scores[row, column] == metric(a[row, column], b[row, column])
    np.testing.assert_array_equal(metric(torch.from_numpy(a), torch.from_numpy(b)), scores)
    assert metric(a[:, :0], b[:, :0]).shape == (2, 0)


def test_flip_by_hand():
    pytest.importorskip("flip_evaluator")
    a, b = pictures()
    assert flip(a, a) == 0.0
    # Black on white is a colour distance of 100^0.7 of at most 41.3, mapped as in Andersson et al. 2020, section 3.
    largest = 41.3
    low = 0.4 * largest
    assert flip(flat(0), flat(255)) == pytest.approx(0.95 + 0.05 * (100**0.7 - low) / (largest - low), abs=1e-3)
    assert 0 < flip(flat(100), flat(104)) < flip(flat(100), flat(140)) < 1
    scores = flip(np.stack([a, b]), np.stack([a, a]))
    assert scores.tolist() == [0.0, float(flip(b, a))]


def test_flip_without_its_package_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "flip_evaluator":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match="pip install flip-evaluator"):
        flip(flat(0), flat(0))


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (noise(2), noise(3), "must have one shape"),
        (
            noise().astype(np.float32),
            noise().astype(np.float32),
            "frames are uint8 [..., height, width, 3], not float32",
        ),
        (noise()[..., :1], noise()[..., :1], "frames are uint8"),
        (noise()[0], noise()[0], "frames are uint8"),
    ],
)
def test_what_are_not_frames_is_refused(a, b, says):
    with pytest.raises(FrameError, match=re.escape(says)):
        psnr(a, b)


@pytest.mark.parametrize("by", ["psnr", "ssim", "flip"])
def test_match_finds_each_frames_origin_whatever_the_order(by):
    if by == "flip":
        pytest.importorskip("flip_evaluator")
    truth = noise(4) // 2
    order = [2, 0, 3, 2, 1]
    near = truth[order] + noise(5, seed=1) // 32
    assert match(near, truth, by).tolist() == order


def test_match_rewards_a_frozen_picture_where_alignment_does_not():
    truth = np.stack([flat(value) for value in (0, 60, 120, 180)])
    frozen = np.stack([truth[2]] * 4)
    found = match(frozen, truth)
    assert found.tolist() == [2, 2, 2, 2]
    assert found.dtype == np.int64
    assert psnr(frozen, truth[found]).min() == math.inf
    assert psnr(frozen, truth).min() < 10


def test_match_refuses_an_unknown_metric_and_no_truth():
    with pytest.raises(EngineError, match="there is no metric 'lpips'"):
        match(noise(2), noise(2), "lpips")
    with pytest.raises(FrameError, match="two lists of frames"):
        match(noise(2), noise(0))
    with pytest.raises(FrameError, match="two lists of frames"):
        match(noise(), noise(2))


def test_statistics_by_hand():
    frame = flat(0)
    frame[:, :, 0] = 50
    frame[::2, :, 1] = 100
    found = statistics(frame)
    np.testing.assert_allclose(found.mean, [50, 50, 0])
    np.testing.assert_allclose(found.std, [0, 50, 0])
    # Rows alternate between two greens: each inner pixel differs by 100 from its two vertical neighbours.
    assert found.sharpness == pytest.approx(0.587 * 100 * 2)
    assert statistics(flat(33)).sharpness == pytest.approx(0, abs=1e-9)


def test_a_ramp_has_no_sharpness_and_blur_loses_it():
    ramp = np.repeat(np.arange(WIDTH, dtype=np.uint8)[None, :, None], HEIGHT, 0).repeat(3, 2)
    assert statistics(ramp).sharpness == pytest.approx(0, abs=1e-9)
    sharp = noise().astype(np.float64)
    blurred = ((sharp + np.roll(sharp, 1, 0) + np.roll(sharp, 1, 1)) / 3).astype(np.uint8)
    assert statistics(blurred).sharpness < statistics(noise()).sharpness


def test_statistics_of_a_batch(monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", 4)
    frames = noise(2, 5)
    found = statistics(torch.from_numpy(frames))
    assert (found.mean.shape, found.std.shape, found.sharpness.shape) == ((2, 5, 3), (2, 5, 3), (2, 5))
    np.testing.assert_array_equal(found.mean[1, 3], statistics(frames[1, 3]).mean)
    np.testing.assert_array_equal(found.std[1, 3], statistics(frames[1, 3]).std)
    assert found.sharpness[1, 3] == statistics(frames[1, 3]).sharpness
    np.testing.assert_allclose(found.mean, frames.mean((2, 3)))
    np.testing.assert_allclose(found.std, frames.std((2, 3)))
    with pytest.raises(FrameError, match="no pixels"):
        statistics(frames[:0])
