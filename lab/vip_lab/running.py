"""What a `with` block starts and ends, whatever happens in between."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self


class Running(abc.ABC):
    """Runs from the beginning of a `with` block to its end and leaves nothing behind."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abc.abstractmethod
    def start(self) -> None:
        """Start everything; return when it can be used."""

    @abc.abstractmethod
    def close(self) -> None:
        """End and remove everything, also what was started only in part."""
