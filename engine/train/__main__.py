"""python -m engine.train worlds/doom/train.yaml stage=all|codec|latents|motion|generator|... [key=value ...]"""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

import torch
import torch.distributed as dist

from engine import checkpoint, config, world
from engine.data.episode import find_episodes
from engine.data.import_recordings import import_recordings
from engine.data.starts import ship_world
from engine.data.stores import encode_footage
from engine.errors import ConfigError, EngineError
from engine.model.network import WorldModel
from engine.model.settings import ModelSettings
from engine.train.codec import CodecTraining
from engine.train.generator import GeneratorTraining
from engine.train.leap import LeapTraining
from engine.train.loop import Stage, Trainer, rank, wait_for_all, world_size
from engine.train.motion import MotionTraining
from engine.train.settings import STAGES, WHOLE, TrainSettings
from engine.train.ship import ship


def main(argv: list[str] | None = None) -> int:
    """Run one stage; 0 when it is done, 2 with one sentence when a setting or a file is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = config.from_command_line(TrainSettings, argv, about=__doc__ or "")
        if settings.stage not in (*STAGES, "all"):
            raise ConfigError(f"stage {settings.stage!r} is not one of {', '.join(STAGES)}, all")
        if settings.device != "cpu":
            see_own_gpu(os.environ)
        for stage in WHOLE if settings.stage == "all" else (settings.stage,):
            run(dataclasses.replace(settings, stage=stage))
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


def run(settings: TrainSettings) -> dict[str, float]:
    """Run the stage that `settings` name; its last figures."""
    device = _start(settings)
    _prepare(settings)
    model = _model(settings).to(device)
    if settings.stage == "latents":
        _encode(model, settings, device)
        return {}
    if settings.stage == "ship":
        ship(model, settings)
        return {}
    torch.manual_seed(settings.seed + rank())
    stage: Stage
    if settings.stage == "codec":
        stage = CodecTraining(model, settings, device, rank())
    elif settings.stage == "motion":
        stage = MotionTraining(model, settings, device, rank())
    else:
        kind = LeapTraining if settings.stage == "leap" else GeneratorTraining
        stage = kind(settings.stage, model, settings, device, rank())
    return Trainer(stage, settings, device).run()


def _start(settings: TrainSettings) -> torch.device:
    """Join the other processes of a torchrun, if any, and pick this one's device."""
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name, 0) if name == "cuda" else torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def see_own_gpu(environment: MutableMapping[str, str]) -> None:
    """Of a torchrun's processes, have each see its own GPU alone: to all it is the first, so they compile one program.

    To be called once, before the first use of a GPU.
    """
    if int(environment.get("WORLD_SIZE", 1)) == 1:
        return
    local = int(environment.get("LOCAL_RANK", 0))
    visible = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    environment["CUDA_VISIBLE_DEVICES"] = visible[local] if local < len(visible) else str(local)


def _prepare(settings: TrainSettings) -> None:
    """Make episodes of the recordings among the footage, once, and have the checkpoint bring its world along."""
    game = world.load(settings.world)
    if rank() == 0:
        ship_world(game, Path(settings.out))
    if rank() == 0 and settings.stage in ("codec", "latents"):
        for folder in {settings.footage, settings.validation} - {""}:
            import_recordings(folder, game)
    wait_for_all()


def _model(settings: TrainSettings) -> WorldModel:
    """The model to train: from `init`, from `out` where a stage before left it, or new (with a codec there is)."""
    game = world.load(settings.world)
    for folder in (settings.init, settings.out):
        if folder and (Path(folder) / checkpoint.MANIFEST).exists():
            return checkpoint.load(Path(folder), game.name)[0].train()
    if settings.init:
        raise ConfigError(f"there is no checkpoint to start from in {settings.init}")
    if settings.stage == "ship" or (settings.stage == "latents" and not settings.codec_from):
        raise ConfigError(f"there is no checkpoint in {settings.out} yet: train one, or init=FOLDER names one")
    torch.manual_seed(settings.seed)
    spec = game.action_spec
    sizes = config.to_dict(settings.model)
    whole = {
        "height": game.frame.height, "width": game.frame.width, "fov": game.camera.fov,
        "pixel_aspect": game.camera.pixel_aspect, "action_size": spec.size,
        "action_scale": spec.scale.tolist(), "mouse_axes": len(spec.mouse_limits), **sizes,
    }  # fmt: skip
    model = WorldModel(config.from_dict(ModelSettings, whole))
    if settings.codec_from:
        trained = checkpoint.load(Path(settings.codec_from), game.name)[0]
        if trained.settings.codec != model.settings.codec:
            raise ConfigError(f"the codec in {settings.codec_from} has other sizes than model.codec")
        model.codec.load_state_dict(trained.codec.state_dict())
    return model


def _encode(model: WorldModel, settings: TrainSettings, device: torch.device) -> None:
    """Encode footage: each process its share of the training episodes, the first also the held-out ones."""
    unit = world.load(settings.world).camera.pose_unit
    folder = Path(settings.latents or Path(settings.out) / "latents")
    model.codec.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    paths = find_episodes(settings.footage)[rank() :: world_size()]
    encode_footage(model.codec, paths, unit, device).save(folder / f"train_{rank()}.safetensors")
    if rank() == 0:
        held_out = find_episodes(settings.validation or settings.footage)
        encode_footage(model.codec, held_out, unit, device).save(folder / "validation.safetensors")
    wait_for_all()


if __name__ == "__main__":
    raise SystemExit(main())
