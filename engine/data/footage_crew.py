"""Runs tasks in processes of their own, many at once, and outlives those that crash or hang."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from engine.errors import EngineError, RecordingError

log = logging.getLogger(__name__)

MAX_LOST_IN_A_ROW = 20


class Task(Protocol):
    """Something to do once, in a process: it must pickle."""

    @property
    def name(self) -> str: ...

    def run(self) -> None:
        """Do it. An EngineError is the user's to mend and stops the whole run; any other end is a crash."""

    def is_done(self) -> bool: ...


@dataclass(frozen=True)
class EpisodeTask:
    """The task of making one episode's folder, which takes its name only when whole."""

    out: Path
    make: Callable[[Path], object]  # writes the episode into the folder that it is given; must pickle
    marks: tuple[str, ...] = ("episode.json",)  # files of which any one says that the episode is there

    @property
    def name(self) -> str:
        return self.out.name

    def run(self) -> None:
        part = self.out.with_name(f".{self.out.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            self.make(part)
            shutil.rmtree(self.out, ignore_errors=True)
            part.rename(self.out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def is_done(self) -> bool:
        return any((self.out / mark).exists() for mark in self.marks)


@dataclass
class _Running:
    task: Task
    process: BaseProcess
    report: Connection
    deadline: float


class Crew:
    """A number of processes working through tasks, one task a process."""

    def __init__(self, workers: int, timeout_s: float, preload: list[str]) -> None:
        self.workers = workers
        self.timeout_s = timeout_s
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self._context.set_forkserver_preload(preload)
        self._running: list[_Running] = []

    def work(self, tasks: Iterator[Task], wanted: int) -> Iterator[Task]:
        """Yield tasks as they are done, until `wanted` are; the next of `tasks` stands in for one that crashed.

        Raises RecordingError for an error that a user can mend, too many crashes, or too few tasks.
        """
        num_done = lost_in_a_row = 0
        try:
            while num_done < wanted:
                while len(self._running) < min(self.workers, wanted - num_done):
                    task = next(tasks, None)
                    if task is None:
                        break
                    self._start(task)
                if not self._running:
                    raise RecordingError(f"no more seeds or episodes are left: {num_done} of {wanted} were made")
                for task in self._ended():
                    if task.is_done():
                        num_done, lost_in_a_row = num_done + 1, 0
                        yield task
                        continue
                    lost_in_a_row += 1
                    log.warning("the game crashed on %s: the next one takes its place", task.name)
                    if lost_in_a_row > MAX_LOST_IN_A_ROW:
                        raise RecordingError(f"the game crashed {lost_in_a_row} times in a row: does it run here?")
        finally:
            self._stop()

    def _start(self, task: Task) -> None:
        receive, send = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(task, send))
        process.start()
        send.close()
        self._running.append(_Running(task, process, receive, time.monotonic() + self.timeout_s))

    def _ended(self) -> list[Task]:
        """Tasks whose processes have ended, waiting for one for a moment."""
        wait([run.process.sentinel for run in self._running], timeout=0.5)
        ended = []
        for run in list(self._running):
            if run.process.is_alive():
                if time.monotonic() < run.deadline:
                    continue
                log.warning("%s took longer than %g s: stopped", run.task.name, self.timeout_s)
                run.process.kill()
            run.process.join()
            self._running.remove(run)
            message = _received(run.report)
            run.report.close()
            if message:
                raise RecordingError(message)
            ended.append(run.task)
        return ended

    def _stop(self) -> None:
        for run in self._running:
            run.process.terminate()
        for run in self._running:
            run.process.join()
        self._running.clear()


def _received(report: Connection) -> str:
    """What a process said before it ended, if anything."""
    try:
        return report.recv() if report.poll() else ""
    except EOFError:
        return ""


def _work(task: Task, report: Connection) -> None:
    try:
        task.run()
    except EngineError as error:
        report.send(str(error))
