"""Every stage trains a few steps of the toy game on a CPU, and a resumed training equals an unbroken one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import checkpoint
from engine.train import compiled, generator
from engine.train.__main__ import main
from engine.train.generator import GeneratorTraining
from engine.train.motion import MotionTraining
from tests.toy import HERE, TINY, record_play, write_footage


def train(root: Path, stage: str, steps: int, out: str = "run", *more: str) -> int:
    words = [
        f"world={HERE}", f"stage={stage}", f"footage={root / 'footage'}", f"out={root / out}", "device=cpu",
        "compile=false", "log_every=2", *TINY, *more,
    ]  # fmt: skip
    if stage not in ("latents", "ship", "all"):
        words += [f"{stage}.schedule.steps={steps}", f"{stage}.schedule.batch=4", f"{stage}.schedule.warmup=2"]
    if stage not in ("latents", "codec", "motion", "ship", "all"):
        words += [f"{stage}.frames=4", f"{stage}.stream_frames=12", f"{stage}.review_chunks=2"]
    return main(words)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where codec and latents stages have run."""
    root = tmp_path_factory.mktemp("toy")
    write_footage(root / "footage", episodes=4, frames=40)
    learning = ["codec.frames=120", "codec.schedule.rate=3e-3", "sheet_every=40"]
    assert train(root, "codec", 60, "run", *learning) == 0
    assert train(root, "latents", 0) == 0
    return root


def rows(root: Path, out: str = "run") -> list[dict]:
    return [json.loads(line) for line in (root / out / "log.jsonl").read_text().splitlines()]


def test_codec_learns(trained: Path) -> None:
    losses = [row["loss_total"] for row in rows(trained) if row["stage"] == "codec" and "loss_total" in row]
    assert losses[-1] < 0.5 * losses[0]


def test_a_training_that_comes_to_nothing_ends(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = MotionTraining.loss

    def loss(self: MotionTraining, step: int, progress: float) -> Any:
        found, metrics = learn(self, step, progress)
        return (found * torch.nan if step == 4 else found), metrics

    monkeypatch.setattr(MotionTraining, "loss", loss)
    assert train(trained, "motion", 40, "hopeless", f"latents={trained / 'run' / 'latents'}") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("motion comes to nothing: at step 6 its loss or gradient") and "lower rates may help" in said


def test_weights_that_are_no_numbers_are_not_saved(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    latents = f"latents={trained / 'run' / 'latents'}"
    assert train(trained, "motion", 2, "spoilt", latents) == 0
    before = {path: path.read_bytes() for path in (trained / "spoilt").iterdir() if path.suffix != ".jsonl"}
    learn = MotionTraining.loss
    monkeypatch.setattr(MotionTraining, "loss", lambda *given: (learn(*given)[0] * torch.nan, {}))
    assert train(trained, "motion", 4, "spoilt", latents, "log_every=100") == 2  # before anything is logged
    assert "its weights are no number" in capsys.readouterr().err.splitlines()[-1]
    assert all(path.read_bytes() == held for path, held in before.items()) and len(before) >= 3


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("generator", ["generator.alone=0.5"]),
        ("generator", ["generator.own_frames=1", "generator.own_from=0.5", "generator.robust=0.5"]),
        ("memory", []),
        ("stream", ["stream.own_frames=1", "stream.distil=1", "stream.truth=0.1", "teacher=RUN"]),
        ("stream", ["stream.distil=1", "stream.truth=0.1", "stream.truth_known=.5", "stream.alone=.5", "teacher=RUN"]),
        ("stream", ["stream.own_frames=1", "stream.adversarial=0.5", "stream.pure=0.9", "stream.still=0.3"]),
        ("stream", ["stream.own_frames=1", "stream.distil=1", "stream.truth=0.1", "stream.roam=0.7", "teacher=RUN"]),
        ("leap", ["leap.own_frames=0.5", "leap.own_steps=2", "leap.roam=0.5", "leap.rebuild=0", "teacher=RUN"]),
        ("leap", ["leap.own_frames=0"]),
    ],
)
def test_stage_runs_and_saves(trained: Path, stage: str, more: list[str]) -> None:
    if "teacher=RUN" in more:
        more = [*more[:-1], f"teacher={trained / 'run'}"]
    before = len(rows(trained))
    assert train(trained, stage, 4, "run", *more, "resume=false") == 0  # or it would be done before it begins
    told = [row for row in rows(trained)[before:] if row["stage"] == stage]
    assert any("loss_total" in row for row in told)
    figures = [row["evaluation"] for row in told if "evaluation" in row][-1]
    assert all(0 < value < 60 for value in figures.values())
    model, manifest = checkpoint.load(trained / "run", "toy")
    assert manifest.notes["stage"] == stage
    assert list((trained / "run").glob(f"{stage}_*.png"))


def test_a_teacher_may_be_larger_and_the_imitator_smaller(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latents, small = f"latents={trained / 'run/latents'}", trained / "run"
    larger = ["model.patch=1", "model.dim=128", "model.registers=2", f"codec_from={small}"]
    assert train(trained, "generator", 2, "larger", latents, *larger) == 0
    sizes = checkpoint.load(trained / "larger")[0].settings
    assert sizes.frame_tokens != checkpoint.load(small)[0].settings.frame_tokens
    distil = [latents, f"init={small}", "stream.own_frames=1", "stream.distil=1", f"teacher={trained / 'larger'}"]
    assert train(trained, "stream", 2, "student", *distil, f"imitator={small}") == 0
    assert train(trained, "generator", 2, "unlike", latents, *larger, "model.memory_entries=5") == 0
    assert train(trained, "stream", 2, "student2", *distil[:-1], f"teacher={trained / 'unlike'}") == 2
    assert "differ in more than patch, dim" in capsys.readouterr().err


def test_resumed_equals_uninterrupted(trained: Path) -> None:
    start = [f"init={trained / 'run'}", f"latents={trained / 'run' / 'latents'}", "generator.schedule.decay=0"]
    assert train(trained, "generator", 6, "whole", *start) == 0
    assert train(trained, "generator", 3, "parts", *start) == 0
    assert train(trained, "generator", 6, "parts", *start) == 0
    whole, parts = (checkpoint.load(trained / out)[0].state_dict() for out in ("whole", "parts"))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=0, msg=name)


CRITIC = ["stream.adversarial=0.5", "stream.pure=0.9"]
DISTIL = ["stream.own_frames=1", "stream.distil=1", "stream.truth=0.1"]


def begun_from(trained: Path, out: str) -> list[str]:
    """Settings to go on from what was trained, in another folder."""
    shutil.copytree(trained / "run", trained / out, ignore=shutil.ignore_patterns("*.state", "latents", "teacher"))
    return [f"latents={trained / 'run' / 'latents'}"]


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging takes most of the time of so short a training."""
    monkeypatch.setattr(GeneratorTraining, "evaluate", lambda stage, path: {})


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("more", [CRITIC, DISTIL])
def test_what_learns_beside_is_resumed(trained: Path, more: list[str], caplog: pytest.LogCaptureFixture) -> None:
    name = "critic" if more is CRITIC else "imitator"
    start = begun_from(trained, name)
    assert train(trained, "stream", 2, name, *start, *more) == 0
    before, folder = load_file(trained / name / "stream.state"), trained / name
    mine = [key for key in before if key.startswith(f"{name}/")]
    assert any("/opt." in key for key in mine) and any("/param." in key for key in mine)
    assert train(trained, "stream", 2, name, *start, *more) == 0  # there is nothing left to do
    after = load_file(folder / "stream.state")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert train(trained, "stream", 3, name, *start, *more) == 0
    after = load_file(folder / "stream.state")
    steps = [key for key in mine if key.endswith(".step")]
    assert steps and all(float(before[key]) < float(after[key]) for key in steps)
    old = {key: tensor for key, tensor in after.items() if "/" not in key}  # as earlier versions wrote it
    save_file(old, folder / "stream.state", {"step": "3", "spent": "1.0"})
    assert train(trained, "stream", 4, name, *start, *more) == 0
    assert f"the {name} begins anew" in caplog.text


@pytest.mark.usefixtures("unjudged")
def test_a_teacher_is_what_the_stage_began_with(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = begun_from(trained, "pupil")
    began = load_file(trained / "pupil" / "model.safetensors")
    for steps in (2, 3):
        assert train(trained, "stream", steps, "pupil", *start, *DISTIL) == 0
        teacher, pupil = (load_file(trained / "pupil" / part / "model.safetensors") for part in ("teacher", "."))
        assert all(torch.equal(began[key], teacher[key]) for key in began)
        assert any(not torch.equal(pupil[key], teacher[key]) for key in began)
    assert train(trained, "stream", 2, "nothing", *start, *DISTIL) == 2
    assert "distil needs a teacher" in capsys.readouterr().err


@pytest.mark.usefixtures("unjudged")
def test_a_state_that_is_none_is_one_sentence(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = begun_from(trained, "broken")
    assert train(trained, "stream", 1, "broken", *start) == 0
    path = trained / "broken" / "stream.state"
    whole = path.read_bytes()
    other = {"param.0": torch.zeros(3), "ema.0": torch.zeros(3)}
    for spoil in (
        lambda: path.write_bytes(whole[: len(whole) // 2]),
        lambda: path.write_bytes(b"cos\nsystem\n(S'true'\ntR."),
        lambda: save_file(other, path, {"step": "1", "spent": "1.0"}),
    ):
        spoil()
        assert train(trained, "stream", 2, "broken", *start) == 2
        assert "resume=false begins anew" in capsys.readouterr().err


def test_one_command_trains_everything(tmp_path: Path) -> None:
    write_footage(tmp_path / "footage", episodes=2, frames=40)
    learnt = ("codec", "motion", "generator", "stream")
    short = [f"{stage}.schedule.{key}" for stage in learnt for key in ("steps=2", "batch=2")]
    for stage in ("generator", "stream"):
        short += [f"{stage}.frames=4", f"{stage}.stream_frames=12", f"{stage}.review_chunks=2"]
    assert train(tmp_path, "all", 2, "run", *short, "codec.frames=20") == 0
    judged = dict.fromkeys(row["stage"] for row in rows(tmp_path) if "evaluation" in row)
    assert list(judged) == list(learnt)
    trained, shipped = tmp_path / "run", tmp_path / "run" / "shipped"
    assert checkpoint.load(shipped, "toy")[1].notes == {"denoise_steps": 1}
    assert (shipped / checkpoint.WEIGHTS).stat().st_size < (trained / checkpoint.WEIGHTS).stat().st_size / 1.9


def test_a_profile_tells_kernels(trained: Path) -> None:
    start = [f"init={trained / 'run'}", f"latents={trained / 'run' / 'latents'}", "profile_steps=1"]
    assert train(trained, "generator", 12, "profiled", *start) == 0
    assert "aten::" in (trained / "profiled" / "generator_profile.txt").read_text()


@pytest.mark.parametrize("exact", [0, 1])
def test_own_play_is_trained_on(tmp_path: Path, exact: int) -> None:
    for seed in range(2):
        record_play(tmp_path / "footage" / f"recording-{seed}", seed, 50)
    write_footage(tmp_path / "footage", episodes=exact, frames=40)
    assert train(tmp_path, "codec", 2, "run", "codec.frames=20") == 0
    assert train(tmp_path, "latents", 0) == 0
    latents = load_file(tmp_path / "run" / "latents" / "train_0.safetensors")
    assert latents["latents"].shape[:2] == ((5, 40) if exact else (2, 50))
    assert train(tmp_path, "generator", 2) == 0


def test_the_mean_of_two_networks_is_shipped(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"latents={trained / 'run/latents'}", f"codec_from={trained / 'run'}"]
    assert train(trained, "generator", 2, "one", *given) == 0
    assert train(trained, "generator", 2, "two", *given, "seed=1") == 0
    told = [f"ship_with={trained / 'two'}", "ship_share=0.25"]
    assert train(trained, "ship", 0, "one", *told) == 0
    one, two, mean = (
        checkpoint.load(trained / name, "toy")[0].state_dict() for name in ("one", "two", "one/shipped")
    )
    for name, weights in mean.items():
        share = 0 if name.startswith("generator.momentum") else 0.25
        expected = one[name] + share * (two[name] - one[name])
        off = (weights - expected).abs().max()
        assert off <= 0.01 * expected.abs().max() + 1e-6, name
    assert not torch.equal(one["generator.refer.weight"], two["generator.refer.weight"])
    assert train(trained, "ship", 0, "one", f"ship_with={trained / 'none'}") == 2
    assert "no checkpoint to mix with" in capsys.readouterr().err
    assert train(trained, "generator", 1, "wide", *given, "model.reference_dim=16") == 0
    assert train(trained, "ship", 0, "one", f"ship_with={trained / 'wide'}") == 2
    assert "other sizes" in capsys.readouterr().err


def test_a_new_network_takes_over_a_codec(trained: Path) -> None:
    assert (
        train(trained, "generator", 2, "taken", f"codec_from={trained / 'run'}", f"latents={trained / 'run/latents'}")
        == 0
    )
    old, new = (load_file(trained / out / "model.safetensors") for out in ("run", "taken"))
    assert all(torch.equal(old[name], new[name]) for name in old if name.startswith("codec."))


def test_a_codec_of_other_sizes_is_not_taken_over(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = (f"codec_from={trained / 'run'}", "model.codec.latent_channels=4")
    assert train(trained, "generator", 2, "other", *more) == 2
    assert "other sizes" in capsys.readouterr().err


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("wrong", [[], ["ContextReader"]])
def test_what_a_compiler_makes_wrong_is_not_used(
    trained: Path, wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_part(part: torch.nn.Module, **_: object) -> None:
        kind = type(part).__name__
        seen.add(kind)
        bad = 10.0 if kind in wrong else 1.0
        part._compiled_call_impl = lambda *given, **named: bad * part.forward(*given, **named)

    def check(*given: Any) -> None:
        found.extend(compiled.compile_parts(*given))

    seen, found = set[str](), list[str]()
    monkeypatch.setattr(torch.nn.Module, "compile", compile_part)
    monkeypatch.setattr(generator, "compile_parts", check)
    start = [f"init={trained / 'run'}", f"latents={trained / 'run' / 'latents'}", "compile=true"]
    assert train(trained, "generator", 1, "-".join(["compiled", *wrong]), *start) == 0
    assert found == wrong and seen == {kind.__name__ for kind in compiled.KINDS}
