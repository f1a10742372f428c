"""From entities to plain data and back, by the types that their classes declare.

A type that has no plain form is refused when its class is first looked at, not when a value of it is met.
"""

from __future__ import annotations

import base64
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_PLAIN: Final = (int, str, float, bool, type(None), Any)


class Uncovered(TypeError):
    """A type or a field that the state of local Azure does not know how to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One type's plain form.

    :param wire: the annotation that pydantic checks the plain form by.
    :param text: names the form: what is written with other forms cannot be read.
    :param is_plain: whether value and plain form are the same.
    """

    wire: Any
    text: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    is_plain: bool = False


class Shapes:
    """All shapes of one run.

    :param root: what paths are kept relative to.
    :param make: the shape of a class that is no type of the standard library; ``None`` where it has none.
    """

    def __init__(self, root: Path, make: Callable[[type], Shape | None]) -> None:
        self._root = root
        self._make = make

    def of(self, annotation: Any) -> Shape:
        """The shape of a type.

        :raises Uncovered: it has none.
        """
        if annotation in _PLAIN:
            name = getattr(annotation, "__name__", "Any")
            return Shape(wire=annotation, text=name, encode=_same, decode=_same, is_plain=True)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._optional(annotation, arguments)
        if origin is typing.Literal:
            return Shape(wire=annotation, text=str(annotation), encode=_same, decode=_same, is_plain=True)
        if origin in (dict, Mapping):
            return self._mapping(arguments)
        if origin in (list, tuple, set):
            return self._collection(origin, arguments)
        return self._single(annotation)

    def _optional(self, annotation: Any, arguments: tuple[Any, ...]) -> Shape:
        inner = [one for one in arguments if one is not type(None)]
        if len(inner) != 1 or len(arguments) != 2:
            raise Uncovered(f"{annotation} has no plain form")
        shape = self.of(inner[0])
        return Shape(
            wire=shape.wire | None,
            text=f"{shape.text}?",
            encode=lambda value: None if value is None else shape.encode(value),
            decode=lambda plain: None if plain is None else shape.decode(plain),
            is_plain=shape.is_plain,
        )

    def _mapping(self, arguments: tuple[Any, ...]) -> Shape:
        key, shape = self.of(arguments[0]), self.of(arguments[1])
        # A copy, made in one step: other threads may change the original.
        return Shape(
            wire=types.GenericAlias(dict, (str, shape.wire)),
            text=f"{{{shape.text}}}",
            encode=lambda value: {key.encode(one): shape.encode(held) for one, held in dict(value).items()},
            decode=lambda plain: {key.decode(one): shape.decode(held) for one, held in plain.items()},
            is_plain=shape.is_plain and key.is_plain,
        )

    def _collection(self, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        shape = self.of(arguments[0])
        if origin is tuple and arguments[1:] != (Ellipsis,):
            raise Uncovered(f"{origin} of {arguments} has no plain form")
        return Shape(
            wire=types.GenericAlias(list, (shape.wire,)),
            text=f"{origin.__name__}[{shape.text}]",
            encode=lambda value: [shape.encode(one) for one in tuple(value)],
            decode=lambda plain: origin(shape.decode(one) for one in plain),
            is_plain=shape.is_plain and origin is list,
        )

    def _single(self, annotation: Any) -> Shape:
        if isinstance(annotation, type) and issubclass(annotation, StrEnum):
            return Shape(wire=annotation, text="|".join(annotation), encode=str, decode=annotation)
        if annotation is datetime:
            return _text("datetime", datetime.isoformat, datetime.fromisoformat)
        if annotation is bytes:
            return _text("bytes", lambda value: base64.b64encode(value).decode(), base64.b64decode)
        if annotation is Path:
            return _text("path", self._relative, lambda plain: self._root / plain)
        if annotation in _KEYS:
            return _KEYS[annotation]
        shape = self._make(annotation) if isinstance(annotation, type) else None
        if shape is None:
            raise Uncovered(f"{annotation} has no plain form")
        return shape

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._root))


def _same(value: Any) -> Any:
    return value


def _text(name: str, encode: Callable[[Any], str], decode: Callable[[str], Any]) -> Shape:
    return Shape(wire=str, text=name, encode=encode, decode=decode)


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _public_pem(key: rsa.RSAPublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


_KEYS: Final[dict[Any, Shape]] = {
    x509.Certificate: _text(
        "certificate", _certificate_pem, lambda pem: x509.load_pem_x509_certificate(pem.encode())
    ),
    rsa.RSAPrivateKey: _text(
        "private key", _private_pem, lambda pem: serialization.load_pem_private_key(pem.encode(), None)
    ),
    rsa.RSAPublicKey: _text(
        "public key", _public_pem, lambda pem: serialization.load_pem_public_key(pem.encode())
    ),
}
