"""Codec bench: how much does the latent lose? Held-out frames, encoded and decoded."""

from __future__ import annotations

import numpy as np

from engine.bench.clips import WALKS, episodes
from engine.bench.report import COLUMNS, Found, Scores, percentiles, table
from engine.bench.subject import Subject

EPISODE_FRAMES = 600
TIMED = 30  # single frames, as in play


def measure(subject: Subject) -> Found:
    """PSNR, SSIM and FLIP of the round trip, and the time of one frame each way."""
    settings = subject.settings.codec
    found = episodes(subject, WALKS, settings.episodes, EPISODE_FRAMES)
    share = -(-settings.frames // len(found))
    scores = Scores(subject)
    for episode in found:
        index = np.linspace(0, EPISODE_FRAMES - 1, share).astype(int)
        frames = np.concatenate([episode.frames(i, i + 1) for i in index.tolist()])
        scores.add("codec", subject.decode(subject.encode(frames)), frames)
    times = _times(subject, found[0].frames(0, TIMED))
    count = share * len(found)
    row = [f"{settings.episodes} maps", *scores.means("codec"), times["encode"]["p50_ms"], times["decode"]["p50_ms"]]
    note = f"{count} frames of maps never trained on; times are medians of one frame."
    columns = ["held-out", *COLUMNS, "encode, ms", "decode, ms"]
    return Found({"codec": table(columns, [row], note)}, {"scores": scores.figures(), "times": times})


def _times(subject: Subject, frames: np.ndarray) -> dict[str, dict[str, float]]:
    encode, decode = [], []
    for frame in frames:
        begun = subject.now()
        latent = subject.encode(frame[None])
        between = subject.now()
        subject.decode(latent)
        encode.append((between - begun) * 1e3)
        decode.append((subject.now() - between) * 1e3)
    warm = len(frames) // 6
    return {"encode": percentiles(encode[warm:]), "decode": percentiles(decode[warm:])}
