"""What one process was told to wait, the machine's others wait too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.identity import cache_entry
from tests.unit.test_identity_cache import KEY, FernetCipher, Machine

OTHER = "cd" * 32
SAID = "Entra ID answered 429."


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    cache_entry._warn_once.cache_clear()
    machine = Machine(tmp_path / "tokens")
    throttle(machine, 20.0)
    return machine


def throttle(machine: Machine, seconds: float | None) -> None:
    machine.failure = Unreachable(SAID, step="token", retry_after_seconds=seconds, remedy="Try again.")


def told(machine: Machine, key: str = KEY) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        machine.process(key)(None, None)
    return caught.value


def note(machine: Machine, key: str = KEY) -> Path:
    return machine.directory / f"{key}.wait"


def test_the_others_repeat_it_and_ask_nobody_until_it_is_over(machine):
    told(machine)
    machine.now += 5
    for _ in range(3):
        repeated = told(machine)
        assert (repeated.message, repeated.step, repeated.remedy) == (SAID, "token", "Try again.")
        assert repeated.retry_after_seconds == pytest.approx(15.0)
    assert len(machine.asked) == 1
    machine.failure = None
    machine.now += 15
    assert machine.process()(None, None).token == "token-2"


def test_what_was_repeated_does_not_last_longer_for_it(machine):
    told(machine)
    for _ in range(4):
        machine.now += 4.9
        told(machine)
    machine.now += 0.5
    told(machine)
    assert len(machine.asked) == 2


def test_a_token_that_is_still_valid_is_used_without_asking(machine):
    machine.failure = None
    machine.process()(None, None)
    machine.now += 3300
    throttle(machine, 20.0)
    for _ in range(3):
        assert machine.process()(None, None).token == "token-1"
    assert len(machine.asked) == 2


def test_nobody_keeps_away_for_longer_than_five_minutes(machine):
    throttle(machine, 86_400.0)
    told(machine)
    assert told(machine).retry_after_seconds == pytest.approx(300.0)
    machine.now += 300
    told(machine)
    assert len(machine.asked) == 2


def test_an_outage_that_says_nothing_of_waiting_is_asked_by_all(machine):
    throttle(machine, None)
    told(machine)
    told(machine)
    assert len(machine.asked) == 2
    assert not note(machine).exists()


def test_another_question_is_asked_all_the_same(machine):
    told(machine)
    told(machine, OTHER)
    assert len(machine.asked) == 2


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_keeps_nobody_waiting(machine, jump):
    told(machine)
    machine.now += jump
    told(machine)
    assert len(machine.asked) == 2


def spoil(machine: Machine, how: str) -> None:
    sound = json.loads(machine.cipher.decrypt(note(machine).read_bytes()))
    encrypt = machine.cipher.encrypt
    match how:
        case "cut short":
            content = note(machine).read_bytes()[:40]
        case "of another key of encryption":
            content = FernetCipher().encrypt(json.dumps(sound).encode())
        case "of another question":
            content = encrypt(json.dumps({**sound, "key": OTHER}).encode())
        case "not JSON":
            content = encrypt(b"{")
        case "a list":
            content = encrypt(b"[]")
        case "for ever":
            content = encrypt(json.dumps({**sound, "until": sound["until"] + 1e6}).encode())
        case "no time":
            content = encrypt(json.dumps({**sound, "until": float("nan")}).encode())
        case _:
            content = encrypt(json.dumps({**sound, "message": 7}).encode())
    note(machine).write_bytes(content)


@pytest.mark.parametrize(
    "how",
    [
        "cut short",
        "of another key of encryption",
        "of another question",
        "not JSON",
        "a list",
        "for ever",
        "no time",
        "wrong types",
    ],
)
def test_a_note_that_makes_no_sense_is_none(machine, how):
    told(machine)
    spoil(machine, how)
    machine.failure = None
    assert machine.process()(None, None).token == "token-2"


def test_without_a_directory_each_process_asks(machine):
    machine.directory.mkdir(mode=0o755)
    machine.directory.chmod(0o755)
    told(machine)
    told(machine)
    assert len(machine.asked) == 2


def test_old_notes_are_removed_with_the_next_one(machine):
    told(machine, OTHER)
    machine.now += 21
    told(machine)
    assert note(machine).exists()
    assert not note(machine, OTHER).exists()
