"""From how a job ended to what the Airflow task makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_batchad.jobs.outcome import Ending, JobOutcome


class Verdict(StrEnum):
    """What becomes of the Airflow task."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    FAILED_FOR_GOOD = "failed_for_good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the author says of failing tasks.

    :param max_failed_tasks: up to so many are let pass.
    :param skip_on_exit_code: skipped if every failed task ended with one of these.
    :param fail_on_exit_code: not tried again if any failed task ended with one of these.
    :raises ValueError: names the argument that is wrong.
    """

    max_failed_tasks: int = 0
    skip_on_exit_code: frozenset[int] = frozenset()
    fail_on_exit_code: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if _is_no_count(self.max_failed_tasks):
            raise ValueError(f"max_failed_tasks: expected 0 or more, not {self.max_failed_tasks!r}")
        both = self.skip_on_exit_code & self.fail_on_exit_code
        if both:
            codes = ", ".join(str(code) for code in sorted(both))
            raise ValueError(
                f"skip_on_exit_code, fail_on_exit_code: {codes} cannot mean both 'skip' and 'do not retry'"
            )

    def judge(self, outcome: JobOutcome) -> Verdict:
        """The verdict on a job that is over."""
        ending = outcome.ending(self.max_failed_tasks)
        if ending is Ending.SUCCEEDED:
            return Verdict.SUCCEEDED
        codes = {failure.exit_code for failure in outcome.failures}
        if codes & self.fail_on_exit_code:
            return Verdict.FAILED_FOR_GOOD
        if ending is Ending.TASKS_FAILED and codes <= self.skip_on_exit_code:
            return Verdict.SKIPPED
        return Verdict.FAILED


def exit_codes(name: str, given: object) -> frozenset[int]:
    """One exit code or several, as an author may give them.

    :param name: of the argument, for the message.
    :raises ValueError: what is given is no exit code but 0, which is a success, or none at all.
    """
    codes = given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    found = frozenset() if given is None else frozenset(codes)
    for code in found:
        if isinstance(code, bool) or not isinstance(code, int) or code == 0:
            raise ValueError(
                f"{name}: expected exit codes other than 0, such as 99 or [98, 99], not {code!r}"
            )
    return found


def _is_no_count(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, int) or value < 0
