"""The training loop of every stage: bf16, EMA, one process per GPU, resumable, logged."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

from engine.errors import TrainingError
from engine.train import state
from engine.train.optimiser import make_optimisers
from engine.train.profile import StepProfile
from engine.train.settings import Schedule, TrainSettings

log = logging.getLogger(__name__)

AGREE_EVERY = 8  # steps


class Stage(Protocol):
    """What one stage brings: a module to train, its loss, and how it is judged."""

    name: str
    schedule: Schedule

    @property
    def module(self) -> nn.Module:
        """What is trained: the parameters of it that want a gradient."""
        ...

    @property
    def beside(self) -> Mapping[str, state.Learner]:
        """What else learns meanwhile, by name."""
        ...

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch and figures to log. Randomness comes from `step` and the seed alone.

        progress: share of the schedule done, 0..1.
        """
        ...

    def evaluate(self, path: Path) -> dict[str, float]:
        """Figures on held-out footage; writes a contact sheet to `path`. Called with EMA weights in place."""
        ...

    def save(self, folder: Path) -> None:
        """Write a checkpoint of the whole model. Called with EMA weights in place."""
        ...


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def wait_for_all() -> None:
    """Go on once every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def share_gradients(params: Sequence[Tensor]) -> None:
    """Average the gradients of `params` over all processes."""
    if world_size() == 1:
        return
    for p in params:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    grads = [p.grad for p in params if p.grad is not None]
    flat = _flatten_dense_tensors(grads)
    dist.all_reduce(flat)
    flat /= world_size()
    for grad, shared in zip(grads, _unflatten_dense_tensors(flat, grads), strict=True):
        grad.copy_(shared)


class Trainer:
    """Runs a stage to the end of its schedule, saving as it goes."""

    def __init__(self, stage: Stage, settings: TrainSettings, device: torch.device) -> None:
        self.stage, self.settings, self.device = stage, settings, device
        self.out = Path(settings.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.state_file = state.state_file(self.out, stage.name)
        self.learnt: list[Tensor] = [p for p in stage.module.parameters() if p.requires_grad]
        schedule = stage.schedule
        self.optimisers = make_optimisers(stage.module, schedule.rate, schedule.matrix_rate)
        self.base_rates = [[g["lr"] for g in o.param_groups] for o in self.optimisers]
        self.ema = [p.detach().clone() for p in self.learnt]
        self.step = 0
        self.spent = 0.0  # seconds trained, over all resumptions
        self.agreed: float | None = None  # share of the schedule done, as all processes last agreed on it
        if settings.resume:
            self._resume()

    def run(self) -> dict[str, float]:
        """Train to the end, evaluate, save; the last figures."""
        schedule, started, saved = self.stage.schedule, time.monotonic() - self.spent, time.monotonic()
        logged, counted, progress = time.monotonic(), self.step, self._progress()
        profile = StepProfile(self.out / f"{self.stage.name}_profile.txt", self.settings.profile_steps * (rank() == 0))
        while progress < 1:
            with profile:
                metrics = self._train_step(progress)
            self.step += 1
            self.spent = time.monotonic() - started
            progress = self._progress()
            if self.step % self.settings.log_every == 0:
                seconds = (time.monotonic() - logged) / (self.step - counted)
                self._log({"loss_" + k if k == "total" else k: float(v) for k, v in metrics.items()}, seconds, progress)
                logged, counted = time.monotonic(), self.step
            if self.step % self.settings.sheet_every == 0:
                self._judge()
            if time.monotonic() - saved > 60 * self.settings.save_minutes:
                self.save()
                saved = time.monotonic()
        self.save()  # first, so that a run cut off while it is judged is not lost
        figures = self._judge()
        log.info("%s: %d steps of batch %d in %.0f s", self.stage.name, self.step, schedule.batch, self.spent)
        return figures

    def _progress(self) -> float:
        """Share of the schedule done; every process must agree, so the first one's clock counts.

        Agreeing waits for the device, so it happens every few steps.
        """
        schedule = self.stage.schedule
        done = max(self.step / max(1, schedule.steps), self.spent / (60 * schedule.minutes))
        if world_size() == 1:
            return done
        if self.agreed is None or self.step % AGREE_EVERY == 0 or self.step >= schedule.steps:
            shared = torch.tensor([done], device=self.device, dtype=torch.float64)
            dist.broadcast(shared, 0)
            self.agreed = float(shared)
        return self.agreed

    def _train_step(self, progress: float) -> dict[str, Tensor]:
        schedule = self.stage.schedule
        warm = min(1.0, (self.step + 1) / max(1, schedule.warmup))
        fall = min(1.0, (1 - progress) / schedule.decay) if schedule.decay else 1.0
        for optimiser, rates in zip(self.optimisers, self.base_rates, strict=True):
            for group, base in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = base * warm * fall
        kind = self.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            loss, metrics = self.stage.loss(self.step, progress)
        loss.backward()
        share_gradients(self.learnt)
        norm = nn.utils.clip_grad_norm_(self.learnt, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        keep = min(schedule.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.ema, self.learnt, 1 - keep)
        return {"total": loss.detach(), "gradient": norm, **metrics}

    def with_ema(self, do: Callable[[], dict[str, float] | None]) -> dict[str, float] | None:
        """Call `do` while the module holds its averaged weights."""
        raw = [p.detach().clone() for p in self.learnt]
        with torch.no_grad():
            torch._foreach_copy_(self.learnt, self.ema)
            result = do()
            torch._foreach_copy_(self.learnt, raw)
        return result

    def _judge(self) -> dict[str, float]:
        if rank() != 0:
            return {}
        path = self.out / f"{self.stage.name}_{self.step:06d}.png"
        self.stage.module.eval()
        figures = self.with_ema(lambda: self.stage.evaluate(path)) or {}
        self.stage.module.train()
        self._write({"step": self.step, "stage": self.stage.name, "evaluation": figures})
        return figures

    def save(self) -> None:
        """Write the checkpoint (averaged weights) and the state from which training resumes.

        Raises TrainingError, and leaves the last save as it was, if the weights are no numbers.
        """
        if rank() != 0:
            return
        if not all(bool(weights.isfinite().all()) for weights in self.ema):  # between two lines of the log
            raise self._hopeless("its weights are")
        self.with_ema(lambda: self.stage.save(self.out))
        meta = {"step": str(self.step), "spent": repr(self.spent)}
        state.write(self.state_file, meta, self, self.ema, self.stage.beside)

    def _resume(self) -> None:
        if not self.state_file.exists():
            return
        meta = state.read(self.state_file, self.device, self, self.ema, self.stage.beside)
        self.step, self.spent = int(meta["step"]), float(meta["spent"])
        log.info("%s: resumed at step %d", self.stage.name, self.step)

    def _log(self, metrics: dict[str, float], seconds: float, progress: float) -> None:
        if rank() != 0:
            return
        row = {"step": self.step, "stage": self.stage.name, "ms": round(seconds * 1e3, 1), **metrics}
        self._write(row)
        if not math.isfinite(metrics["loss_total"] + metrics["gradient"]):
            raise self._hopeless("its loss or gradient is")
        figures = " ".join(f"{k} {v:.4f}" for k, v in metrics.items())
        bar = "#" * int(20 * progress)
        print(
            f"{self.stage.name} [{bar:<20}] {self.step} {seconds * 1e3:.0f} ms {figures}", file=sys.stderr, flush=True
        )

    def _hopeless(self, what: str) -> TrainingError:
        return TrainingError(
            f"{self.stage.name} comes to nothing: at step {self.step} {what} no number (the last save is as it was); "
            "lower rates may help, or compile=false"
        )

    def _write(self, row: dict) -> None:
        with open(self.out / "log.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
