"""`docs/parity.md` claims nothing without a test, and the check of that fails when it should."""

from __future__ import annotations

import pytest

from tests.parity import PAGE, ROOT, STATES, Claim, ParityCheck, Witness, find_missing, read_claims, read_rows

pytest_plugins = ["pytester"]

CLAIMS = read_claims(PAGE.read_text())
ROW = "| jobs | real | all of it | `test_mine.py::test_one`, `test_yours.py` |"


def test_page_claims_nothing_without_a_test_that_there_is() -> None:
    assert CLAIMS
    assert find_missing(CLAIMS) == []
    assert {claim.state for claim in CLAIMS} == set(STATES)


def test_every_row_of_the_page_is_a_claim() -> None:
    rows = [row for row in read_rows(PAGE.read_text()) if row[0] not in ("capability", "---")]
    assert [row for row in rows if len(row) != 4] == []
    assert len(rows) == len(CLAIMS)


def test_page_claims_nothing_twice() -> None:
    names = [claim.capability for claim in CLAIMS]
    assert len(names) == len(set(names))


def test_every_test_file_of_local_azure_witnesses_something() -> None:
    named = {witness.file for claim in CLAIMS for witness in claim.witnesses}
    files = {path.name for path in (ROOT / "tests" / "contract").glob("test_local_*.py")}
    assert sorted(files - named) == []


def test_row_is_a_claim_with_its_witnesses() -> None:
    heading = "| capability | state | how far | witnessed by |\n| --- | --- | --- | --- |\n"
    [claim] = read_claims(heading + ROW)
    assert claim == Claim(
        "jobs", "real", (Witness("test_mine.py", "test_one"), Witness("test_yours.py", None))
    )


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ("| a | real | | `test_parity.py::test_page_claims_nothing_twice` |", []),
        ("| a | real | | `test_parity.py` |", []),
        ("| a | real | | `test_parity.py::test_nothing` |", ["a: there is no test_parity.py::test_nothing"]),
        ("| a | real | | `test_nowhere.py` |", ["a: there is no test_nowhere.py"]),
        ("| a | emulated | | - |", ["a: no witness"]),
        ("| a | left out | | - |", []),
    ],
)
def test_claim_without_a_witness_is_found(row: str, missing: list[str]) -> None:
    assert find_missing(read_claims(row)) == missing


@pytest.mark.parametrize(
    ("outcomes", "broken"),
    [
        ([], []),
        ([("contract/test_mine.py::test_one", "passed")], []),
        ([("test_mine.py::test_one[x::y]", "failed")], ["test_one was failed"]),
        ([("test_mine.py::test_one[a]", "passed"), ("test_mine.py::test_one[b]", "failed")],
         ["test_one was failed and passed"]),
        ([("test_mine.py::test_two", "failed")], []),
        ([("test_yours.py::Some::test_x", "skipped")], ["test_x was skipped"]),
        ([("test_yours.py::Some::test_x", "skipped"), ("test_mine.py::test_one", "passed")], []),
    ],
)  # fmt: skip
def test_claim_that_was_tried_must_be_witnessed(outcomes: list[tuple[str, str]], broken: list[str]) -> None:
    check = ParityCheck(read_claims(ROW))
    for node_id, outcome in outcomes:
        check.note(f"tests/{node_id}", outcome)
    assert [line.rpartition("::")[2] for line in check.find_broken()] == broken


def test_session_with_a_skipped_witness_fails(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from tests.parity import ParityCheck, read_claims
        def pytest_configure(config):
            config.pluginmanager.register(ParityCheck(read_claims({ROW!r})))
        """
    )
    source = "import pytest\n@pytest.mark.skip\ndef test_one(): pass\ndef test_two(): pass"
    pytester.makepyfile(test_mine=source)
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    ended.stdout.fnmatch_lines(["jobs: test_mine.py::test_one was skipped"])
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "two").ret == pytest.ExitCode.OK
