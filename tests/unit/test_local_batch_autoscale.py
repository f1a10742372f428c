"""Autoscale formulas, evaluated without a pool."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.local.batch.autoscale import FormulaRefused, Targets, check_syntax, evaluate


def run(formula: str) -> Targets:
    return evaluate(formula, Targets(dedicated=4, spot=1), current_dedicated=3, current_spot=2)


@pytest.mark.parametrize(
    ("formula", "dedicated", "spot"),
    [
        ("", 4, 1),
        ("$TargetDedicatedNodes=2", 2, 1),
        ("$TargetDedicatedNodes = 2 ; $TargetLowPriorityNodes=3;", 2, 3),
        ("$TargetDedicated = 7", 7, 1),
        ("// nothing but a word\n$TargetDedicatedNodes = (1 + 2) * 3 - 10 / 4;", 6, 1),
        ("cap = 10; $TargetDedicatedNodes = min(cap, 25, 12); $TargetLowPriorityNodes = max(0, -1)", 10, 0),
        ("$TargetDedicatedNodes = -5", 0, 1),
        ("$TargetDedicatedNodes = $CurrentDedicatedNodes + $CurrentLowPriorityNodes", 5, 1),
        ("$TargetDedicatedNodes = $TargetDedicatedNodes + 1", 5, 1),
        ("a = 1; a = a + 1; $TargetDedicatedNodes = a", 2, 1),
        ("$TargetDedicatedNodes = 99999999999999999999", 2**31 - 1, 1),
        (f"$TargetDedicatedNodes = {'9' * 400} - {'9' * 400}", 0, 1),
    ],
)
def test_formula_of_constants_sets_the_targets(formula: str, dedicated: int, spot: int) -> None:
    targets = run(formula)
    assert (targets.dedicated, targets.spot, targets.deallocation) == (dedicated, spot, "requeue")


def test_deallocation_option_is_one_of_four_words() -> None:
    assert run("$NodeDeallocationOption = TaskCompletion").deallocation == "taskcompletion"
    with pytest.raises(FormulaRefused):
        run("$NodeDeallocationOption = 5")


@pytest.mark.parametrize(
    ("formula", "message", "is_syntax"),
    [
        ("something", "Line 1, Col 1: Undefined symbol: something", False),
        ("a = 1;\n  b = c;", "Line 2, Col 7: Undefined symbol: c", False),
        ("$x = $ActiveTasks.GetSample(1)", "Line 1, Col 6: Undefined symbol: $ActiveTasks", False),
        ("a = 1 / 0", "Line 1, Col 7: Division by zero", False),
        ("a = 1 > 0 ? 1 : 2", "Line 1, Col 7: Not evaluated by local Azure: >", False),
        ("a = ", "Line 1, Col 5: Unexpected end of formula", True),
        ("a = (1", "Line 1, Col 7: Unexpected end of formula", True),
        ("1 = 2", "Line 1, Col 1: Unexpected token: 1", True),
        ("a = 1 b = 2", "Line 1, Col 7: Unexpected token: b", True),
        ("a = #", "Line 1, Col 5: Unexpected character: #", True),
        ("a = " + "(" * 100, "Line 1, Col 55: The formula is nested too deeply", True),
    ],
)
def test_refused_formula_says_where(formula: str, message: str, is_syntax: bool) -> None:
    with pytest.raises(FormulaRefused) as raised:
        run(formula)
    assert (str(raised.value), raised.value.is_syntax) == (message, is_syntax)
    if is_syntax:
        with pytest.raises(FormulaRefused):
            check_syntax(formula)
    else:
        check_syntax(formula)
