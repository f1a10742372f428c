"""What may be found, and why: tests whose very subject is the text of a secret."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """A place of a test in which a value may stand.

    :param test: how the test's id begins.
    :param place: how the place begins.
    """

    test: str
    place: str
    why: str


EXEMPTIONS: tuple[Exemption, ...] = (
    *(
        Exemption(
            test=f"tests/contract/test_local_entra_{subject}.py::",
            place="log of msal.token_cache",
            why="MSAL itself, which these tests drive without the package, writes authorization and device "
            "codes that are spent by then at DEBUG; the package silences that logger (hooks/resolve.py)",
        )
        for subject in ("codes", "devices", "people")
    ),
    Exemption(
        test="tests/azure_cli/test_azure_cli.py::",
        place="output of a process",
        why="the Azure CLI is asked for a token and for an account's keys, and prints them",
    ),
    Exemption(
        test="az0/settings/",
        place="file",
        why="the Azure CLI keeps its own log-in in its own folder; the package has no part in it",
    ),
)


def is_exempt(test: str, place: str) -> bool:
    """Whether a value found there is meant to be there."""
    return any(test.startswith(one.test) and place.startswith(one.place) for one in EXEMPTIONS)
