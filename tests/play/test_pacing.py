"""Pacing: the world's rate while the machine can, no burst after it could not."""

import pytest

from engine.play.pacing import Pacer, RateMeter


def run(pacer: Pacer, step_s: list[float], jitter_s: float = 0.0) -> list[float]:
    """When each step begins if the one after it waits for the pacer (and oversleeps), each taking step_s."""
    now, began = 100.0, []
    for seconds in step_s:
        now += (wait := pacer.wait_s(now)) + (jitter_s if wait else 0.0)
        pacer.begin(now)
        began.append(now)
        now += seconds
    return began


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(times, times[1:], strict=False)]


def test_steps_begin_a_period_apart():
    assert gaps(run(Pacer(20.0), [0.03] * 10)) == pytest.approx([0.05] * 9)


def test_oversleeping_does_not_lower_the_rate():
    began = run(Pacer(20.0), [0.03] * 101, jitter_s=0.004)
    assert (began[-1] - began[0]) / 100 == pytest.approx(0.05, rel=0.01)


def test_a_stall_is_not_followed_by_a_burst():
    after = gaps(run(Pacer(20.0), [0.01, 0.01, 1.0, *[0.01] * 5]))[3:]
    assert after == pytest.approx([0.05] * 4)


def test_steps_too_slow_for_the_rate_follow_one_another_at_once():
    assert gaps(run(Pacer(20.0), [0.08] * 5)) == pytest.approx([0.08] * 4)


def meter_after(rate: float, frames_per_s: float, seconds: float) -> RateMeter:
    meter = RateMeter(rate)
    for i in range(int(seconds * frames_per_s) + 1):
        meter.tick(5.0 + i / frames_per_s)
    return meter


def test_the_meter_measures_the_last_two_seconds():
    meter = meter_after(20.0, 10.0, 30.0)
    assert meter.frames_per_s == pytest.approx(10.0)
    for i in range(1, 50):
        meter.tick(35.0 + i / 20.0)
    assert meter.frames_per_s == pytest.approx(20.0)


def test_the_meter_says_nothing_too_early():
    assert RateMeter(20.0).frames_per_s == 0.0
    assert meter_after(20.0, 20.0, 0.3).frames_per_s == 0.0


@pytest.mark.parametrize(
    ("frames_per_s", "seconds", "slow"), [(17, 20, False), (15, 4, False), (15, 7, True), (0.3, 20, True)]
)
def test_a_machine_is_slow_only_after_seconds_below_four_fifths_of_the_rate(frames_per_s, seconds, slow):
    assert meter_after(20.0, frames_per_s, seconds).is_slow == slow


def test_a_machine_that_recovers_is_not_slow():
    meter = meter_after(20.0, 10.0, 10.0)
    assert meter.is_slow
    for i in range(1, 60):
        meter.tick(15.0 + i / 20.0)
    assert not meter.is_slow
    meter.restart()
    assert meter.frames_per_s == 0.0
