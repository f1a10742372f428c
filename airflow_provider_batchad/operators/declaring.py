"""How an operator says which actions it needs, and has what it sends go by that."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from airflow_provider_batchad.access.wanted import RoleElsewhere, Wanted

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="DeclaresActions")


class DeclaresActions:
    """What an operator for Batch derives from besides Airflow's own."""

    @classmethod
    def wanted_actions(cls, arguments: Mapping[str, Any]) -> Iterable[Wanted]:
        """Every action that the operator can use, with its reason.

        A class method: an operator that is mapped has no instance when its DAG is parsed.

        :param arguments: of the constructor, by name; one that is known only when the task runs is
            :data:`~airflow_provider_batchad.access.wanted.UNKNOWN`, one that is left out has its default.
        """
        raise NotImplementedError(f"{cls.__name__} does not say which actions it needs")

    @classmethod
    def required_actions(cls, arguments: Mapping[str, Any]) -> tuple[Wanted, ...]:
        """The actions without which the operator fails."""
        return tuple(one for one in cls.wanted_actions(arguments) if not one.optional)

    @classmethod
    def optional_actions(cls, arguments: Mapping[str, Any]) -> tuple[Wanted, ...]:
        """The actions that the operator can use, and does without."""
        return tuple(one for one in cls.wanted_actions(arguments) if one.optional)

    @classmethod
    def roles_elsewhere(cls, _arguments: Mapping[str, Any]) -> Iterable[RoleElsewhere]:
        """What the operator wants of other services than Batch; nothing unless it says so."""
        return ()

    def own_arguments(self) -> dict[str, Any]:
        """The constructor's arguments, which its attributes are named after."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def argument_names(cls) -> frozenset[str]:
        """The names of the constructor's arguments, without those that every operator of Airflow has."""
        constructors = [
            vars(kind)["__init__"]
            for kind in cls.__mro__
            if issubclass(kind, DeclaresActions) and "__init__" in vars(kind)
        ]
        return frozenset(
            name
            for constructor in constructors
            for name, one in inspect.signature(constructor).parameters.items()
            if one.kind is inspect.Parameter.KEYWORD_ONLY
        )


def declaring(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run a method of an operator such that nothing but what the operator wants can be sent."""

    @functools.wraps(method)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        from airflow_provider_batchad.access.declaration import Declaration, declared

        wanted = self.wanted_actions(self.own_arguments())
        with declared(Declaration(type(self).__name__, frozenset(one.action for one in wanted))):
            return method(self, *args, **kwargs)

    return run
