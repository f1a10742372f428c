"""Automatic scaling of pools: switched on and off, evaluated at intervals that follow the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.batch.autoscale import AutoScaleRun, FormulaRefused, Targets, evaluate
from airflow_provider_batchad.local.batch.durations import parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.pool import AllocationState, AutoScale, Pool
from airflow_provider_batchad.local.batch.pool_factory import DEFAULT_INTERVAL, check_formula
from airflow_provider_batchad.local.batch.pool_flow import PoolFlow, refuse_deleting
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.timers import Timers

# Enable Automatic Scaling on a Pool: not "for the same pool more than once every 30 seconds".
_LEAST_DISTANCE: Final = 30 * TICKS_PER_SECOND


class AutoScaling:
    """Switches pools' automatic scaling and evaluates their formulas."""

    def __init__(self, *, ticks: TickClock, timers: Timers, pools: PoolFlow) -> None:
        self._ticks = ticks
        self._timers = timers
        self._pools = pools

    def enable(self, pool: Pool, formula: str | None, interval: str | None) -> None:
        """Switch it on, or give it another formula or interval, for a user.

        :raises BatchError: the formula is missing or cannot be read; the pool is being deleted or resized;
            the last such request was less than 30 seconds ago.
        """
        self._pools.check_steady(pool)
        before = pool.autoscale
        if formula is None and before is None:
            raise BatchError("MissingRequiredProperty", (("PropertyName", "autoScaleFormula"),))
        if formula is not None:
            check_formula(formula)
        ticks = self._ticks.now()
        if 0 <= ticks - pool.autoscale_enabled < _LEAST_DISTANCE:
            raise BatchError("TooManyEnableAutoScaleRequests")
        if before is not None and before.timer is not None:
            before.timer.cancel()
        pool.modified = pool.autoscale_enabled = ticks
        pool.autoscale = AutoScale(
            formula=formula or (before.formula if before is not None else ""),
            interval=interval or (before.interval if before is not None else DEFAULT_INTERVAL),
        )
        self._run(pool)

    def begin(self, pool: Pool, formula: str, interval: str) -> None:
        """Switch it on for a new pool."""
        pool.autoscale = AutoScale(formula=formula, interval=interval)
        self._run(pool)

    def disable(self, pool: Pool) -> None:
        """Switch it off for a user. Recorded: a resize that it began is stopped.

        :raises BatchError: the pool is being deleted.
        """
        refuse_deleting(pool)
        autoscale, pool.autoscale = pool.autoscale, None
        if autoscale is None:
            return
        if autoscale.timer is not None:
            autoscale.timer.cancel()
        if pool.allocation is AllocationState.RESIZING:
            self._pools.give_up_resize(pool, "ResizeStopped")

    def resume(self, pool: Pool) -> None:
        """Go on evaluating the formula of a pool that was kept across a restart."""
        autoscale = pool.autoscale
        if autoscale is not None:
            last = self._ticks.now() if autoscale.run is None else autoscale.run.ticks
            due = (last + parse_duration(autoscale.interval)) / TICKS_PER_SECOND
            autoscale.timer = self._timers.at(due, lambda: self._run(pool))

    def evaluate(self, pool: Pool, formula: str) -> AutoScaleRun:
        """What a formula would come to now.

        :raises BatchError: the pool does not scale by itself, or is being deleted.
        """
        refuse_deleting(pool)
        if pool.autoscale is None:
            raise BatchError("OperationInvalidForCurrentState")
        return self._evaluate(pool, formula)

    def _evaluate(self, pool: Pool, formula: str) -> AutoScaleRun:
        ticks = self._ticks.now()
        present = Targets(dedicated=pool.target_dedicated, spot=pool.target_spot)
        try:
            targets = evaluate(
                formula,
                present,
                current_dedicated=len(pool.members(dedicated=True)),
                current_spot=len(pool.members(dedicated=False)),
            )
        except FormulaRefused as refusal:
            return AutoScaleRun(ticks=ticks, targets=present, error=str(refusal))
        return AutoScaleRun(ticks=ticks, targets=targets)

    def _run(self, pool: Pool) -> None:
        autoscale = pool.autoscale
        if autoscale is None:
            return
        # A resize that goes on is let go on; the next evaluation looks again.
        if pool.allocation is AllocationState.STEADY:
            run = autoscale.run = self._evaluate(pool, autoscale.formula)
            targets = run.targets
            if (targets.dedicated, targets.spot) != (pool.target_dedicated, pool.target_spot):
                self._pools.start_resize(pool, targets.dedicated, targets.spot, option=targets.deallocation)
        seconds = parse_duration(autoscale.interval) / TICKS_PER_SECOND
        autoscale.timer = self._timers.at(
            self._ticks.now() / TICKS_PER_SECOND + seconds, lambda: self._run(pool)
        )
