"""Progress on stderr: frames per second and time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

__all__ = ["Progress"]


class _FramesPerSecond(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} frames/s" if speed else "")


class Progress:
    """A bar on stderr; silent where stderr is no terminal.

    Call it with (stage, frames done, frames in all or None).
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _FramesPerSecond(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage."""
        if name not in self._tasks:
            self._tasks[name] = int(self._bar.add_task(name, total=total))

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` frames of a stage are finished."""
        self.stage(stage, total)
        task = next(t for t in self._bar.tasks if t.id == self._tasks[stage])
        self._bar.update(task.id, completed=done, total=total)
