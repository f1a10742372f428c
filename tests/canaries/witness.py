"""Writes down what a run of tests says: logs, errors, representations, output, ledgers, trigger arguments."""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_LONGEST = 200_000
_WITH_REPRESENTATIONS = ("identity", "hooks", "connection", "errors", "triggers")
_PACKAGE = "airflow_provider_batchad"


class Witness:
    """Keeps every text once for each test, with the kind of place that it was seen in.

    :param path: where the texts of finished tests go, to be searched at the end of the session.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace")
        self._path = path
        self._lock = threading.Lock()
        self._texts: set[tuple[str, str]] = set()
        self._watched: set[str] = set()

    def note(self, place: str, text: object) -> None:
        """Remember that this text was seen in this place."""
        with self._lock:
            self._texts.add((place, str(text)[:_LONGEST]))

    def end_of(self, test: str) -> None:
        """What was seen since the last call belongs to this test."""
        with self._lock:
            texts, self._texts = self._texts, set()
        for place, text in texts:
            self._file.write(json.dumps([test, place, text]) + "\n")

    def read(self) -> Iterator[tuple[str, str, str]]:
        """Test, place and text of everything that was seen."""
        self._file.flush()
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                test, place, text = json.loads(line)
                yield test, place, text

    def watch_logs(self) -> None:
        """Every record that anybody makes, before a handler or a filter sees it."""
        make = logging.getLogRecordFactory()

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            try:
                message = record.getMessage()
            except (TypeError, ValueError, KeyError):
                message = f"{record.msg!r} {record.args!r}"
            self.note(f"log of {record.name}", message)
            if record.exc_info and record.exc_info[1] is not None:
                self.note_error(f"log of {record.name}", record.exc_info[1])
            return record

        logging.setLogRecordFactory(factory)

    def note_error(self, place: str, error: BaseException) -> None:
        """An exception, all that it was caused by, and what they carry."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            notes = getattr(one, "__notes__", ())
            self.note(f"{place}: {type(one).__name__}", f"{one}\n{one!r}\n{vars(one)!r}\n{notes}")
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]

    def watch_calls(self, owner: Any, name: str, seen: Callable[..., None]) -> None:
        """After each call of a function or method, tell ``seen`` its result and its arguments."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            seen(result, *args, **kwargs)
            return result

        setattr(owner, name, call)

    def watch_package(self) -> None:
        """Each object of the package as ``repr`` shows it when it is made; each trigger's arguments."""
        for name in [name for name in sys.modules if name not in self._watched]:
            self._watched.add(name)
            package, _, rest = name.partition(".")
            if package == _PACKAGE and rest.partition(".")[0] in _WITH_REPRESENTATIONS:
                self._watch_module(sys.modules[name])

    def _watch_module(self, module: ModuleType) -> None:
        for one in list(vars(module).values()):
            if not isinstance(one, type) or one.__module__ != module.__name__:
                continue
            if "__init__" in vars(one):
                self.watch_calls(one, "__init__", functools.partial(self._note_object, one))
            if "serialize" in vars(one):
                self.watch_calls(one, "serialize", lambda found, *_: self.note("trigger's arguments", found))

    def _note_object(self, owner: type, _: None, made: object, *__: object, **___: object) -> None:
        if type(made).__init__ is not owner.__init__:
            return  # a subclass has not yet set all that its representation shows
        self.note(f"repr of {type(made).__name__}", repr(made))
        if isinstance(made, BaseException):
            self.note_error("error", made)
