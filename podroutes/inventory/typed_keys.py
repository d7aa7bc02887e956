"""Typing what a person wrote, key by key: every problem is found, and each is said in words that tell what to write."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from podroutes.text import did_you_mean

NO_TEXT: Final = "must be text; put it in quotes"

_Kind = TypeVar("_Kind", bound=Struct)

# What msgspec expected, and what to write.
_WORDS: Final = {
    "int": "must be a whole number, without quotes",
    "float": "must be a number, without quotes",
    "bool": "must be true or false, without quotes",
    "str": NO_TEXT,
    "array": "must be a list",
    "object": "must hold `key: value` lines below it",
}
_BOUNDS: Final = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_LENGTHS: Final = {"str": "characters", "array": "values"}
_EXPECTED: Final = re.compile(r"Expected `(.+?)(?: \| null)?`(?:( of length)? ([<>]=?) (\S+))?")
# In a type's Meta.extra: what to say of a value that does not match its pattern.
ADVICE: Final = "advice"


class KeyProblem(Struct, frozen=True):
    """What is wrong with one key.

    Attributes:
        key: As it was written.
        message: What is wrong, and what to write instead.
        unknown: Whether there is no such key.
    """

    key: str
    message: str
    unknown: bool = False

    def below(self, place: str) -> str:
        """The problem with its key's dotted path.

        Args:
            place: What holds the key.
        """
        return f"{place}.{self.key}: {self.message}" if self.key else f"{place}: {self.message}"


def read_keys(kind: type[_Kind], data: object) -> tuple[_Kind | None, list[KeyProblem]]:
    """Type a mapping's values.

    Args:
        kind: A `Struct` whose fields are the keys; others are problems where it forbids unknown fields.
        data: What was written; a mapping, if it is right.

    Returns:
        The typed keys, or None, and what is wrong with each that is wrong, missing ones first, the others in the order
        in which they were written.
    """
    if isinstance(data, Mapping) and not kind.__struct_config__.forbid_unknown_fields:
        data = {key: value for key, value in data.items() if key in kind.__struct_fields__}
    try:
        return convert(data, kind, dec_hook=parse_own), []
    except ValidationError:
        if not isinstance(data, Mapping):
            return None, [KeyProblem("", _WORDS["object"])]
        return None, list(_problems(kind, data))


def parse_own(kind: type, value: object) -> object:
    """The hook for the types that msgspec does not know: paths, and what has a `parse`.

    Raises:
        ValueError: The value can't be one.
    """
    if kind is Path:
        if isinstance(value, str):
            return Path(value)
        raise ValueError(NO_TEXT)
    parse: Callable[[object], object] | None = getattr(kind, "parse", None)
    if parse is None:
        raise NotImplementedError(kind)
    return parse(value)


def problem_of(value: object, kind: Any) -> str | None:  # noqa: ANN401  # any type is an object of its own kind
    """What is wrong with a value, in words for who wrote it.

    Args:
        value: What was written.
        kind: The type that it should have.

    Returns:
        None if it has.
    """
    try:
        convert(value, kind, dec_hook=parse_own)
    except ValidationError as error:
        return _reason(error, kind, value)
    return None


def _reason(error: ValidationError, kind: object, value: object) -> str:
    if isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    text = str(error).rpartition(" - at `")[0] or str(error)
    if text.startswith("Invalid enum value"):
        choices = (choice for part in _parts(kind) if get_origin(part) is Literal for choice in get_args(part))
        return f"must be {' or '.join(map(repr, choices))}"
    if " matching regex " in text:
        metas = (meta for part in _parts(kind) for meta in getattr(part, "__metadata__", ()))
        advice = next((meta.extra[ADVICE] for meta in metas if meta.pattern and meta.extra), text)
        return str(advice).format(value)
    found = _EXPECTED.match(text)
    return text if found is None else _expectation(*found.groups()) or text


def _expectation(expected: str, length: str | None, bound: str | None, limit: str) -> str | None:
    if bound is None:
        return _WORDS.get(expected)
    if length is None:
        return f"must be {_BOUNDS[bound]} {limit.removesuffix('.0')}"
    if (bound, limit) == (">=", "1"):
        return "must not be empty"
    return f"must have {_BOUNDS[bound]} {limit} {_LENGTHS.get(expected, 'values')}"


def _problems(kind: type[Struct], data: Mapping[Any, Any]) -> Iterator[KeyProblem]:
    known = {field.name: field for field in fields(kind)}
    for name, field in known.items():
        if field.required and name not in data:
            yield KeyProblem(name, "is missing")
    for key, value in data.items():
        if key in known:
            problem = problem_of(value, known[key].type)
            if problem is not None:
                yield KeyProblem(key, problem)
        else:
            # YAML may have a number for a key.
            yield KeyProblem(str(key), f"unknown key; {did_you_mean(str(key), known, 'known keys')}", unknown=True)


def _parts(kind: object) -> Iterator[object]:
    """A type and all that it is made of."""
    yield kind
    for part in get_args(kind):
        yield from _parts(part)
