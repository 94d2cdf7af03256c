"""The functions of templates: Go's own, and ContainerPilot's."""

from __future__ import annotations

from cp.config.template.compare import equal, equal_any, less, less_or_equal
from cp.config.template.errors import FunctionError
from cp.config.template.values import (
    MAX_INT,
    MAX_TEXT,
    MIN_INT,
    WHITE_SPACE,
    Byte,
    Slice,
    from_bytes,
    to_bytes,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.config.template.values import Value


class Function:
    """A function and Go's types of its parameters; an empty type accepts any value. `rest` is the type of further
    arguments, None if there are none.

    The evaluator checks the arguments. `call` gets them in order and raises FunctionError.
    """

    __slots__ = ("call", "parameters", "rest")

    def __init__(self, call: Callable[..., Value], parameters: tuple[str, ...], rest: str | None = None) -> None:
        self.call = call
        self.parameters = parameters
        self.rest = rest


def functions(environ: dict[str, str]) -> dict[str, Function]:
    """All functions by name, for one template."""
    return {
        **_FUNCTIONS,
        "env": Function(lambda name: environ.get(name, ""), ("string",)),
        "regexReplaceAll": Function(_RegexReplaceAll(), ("string", "string", "string")),
    }


# Values.


def _index(item: Value, *indexes: Value) -> Value:
    if item is None:
        raise FunctionError("index of untyped nil")
    for index in indexes:
        if isinstance(item, dict):
            if index is None:
                raise FunctionError("value is nil; should be of type string")
            if not isinstance(index, str):
                raise FunctionError(f"value has type {type_name(index)}; should be string")
            item = item.get(index, "")
        elif isinstance(item, (str, Slice)):
            items = to_bytes(item) if isinstance(item, str) else item
            position = _position(index, len(items))
            if position == len(items):
                raise FunctionError(f"reflect: {'string' if isinstance(item, str) else 'slice'} index out of range")
            item = Byte(items[position]) if isinstance(items, bytes) else items[position]
        else:
            raise FunctionError(f"can't index item of type {type_name(item)}")
    return item


def _position(index: Value, limit: int) -> int:
    if index is None:
        raise FunctionError("cannot index slice/array with nil")
    if type(index) is not int and type(index) is not Byte:
        raise FunctionError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index <= limit:
        raise FunctionError(f"index out of range: {index}")
    return index


def _slice(item: Value, *indexes: Value) -> Value:
    if item is None:
        raise FunctionError("slice of untyped nil")
    if len(indexes) > 3:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str):
        if len(indexes) == 3:
            raise FunctionError("cannot 3-index slice a string")
        data = to_bytes(item)
        start, stop, _ = _bounds(indexes, len(data), len(data))
        return from_bytes(data[start:stop])
    if isinstance(item, Slice):
        return item.window(*_bounds(indexes, len(item), item.capacity))
    raise FunctionError(f"can't slice item of type {type_name(item)}")


def _bounds(indexes: tuple[Value, ...], length: int, capacity: int) -> tuple[int, int, int | None]:
    given = [_position(index, capacity) for index in indexes]
    bounds = given + [0, length, capacity][len(given) :]
    start, stop, limit = bounds
    if start > stop:
        raise FunctionError(f"invalid slice index: {start} > {stop}")
    if stop > limit:
        raise FunctionError(f"invalid slice index: {stop} > {limit}")
    return start, stop, limit if len(given) == 3 else None


def _len(item: Value) -> Value:
    if isinstance(item, str):
        return len(item) if item.isascii() else len(to_bytes(item))
    if isinstance(item, (dict, Slice)):
        return len(item)
    raise FunctionError("len of untyped nil" if item is None else f"len of type {type_name(item)}")


def _call(callee: str, function: Value, *arguments: Value) -> Value:
    """Call a function that is a value. No value of a template is one."""
    if function is None:
        raise FunctionError("call of nil")
    raise FunctionError(f"non-function {callee} of type {type_name(function)}")


def _never(*arguments: Value) -> Value:
    raise AssertionError("the evaluator executes `and` and `or`, because they do not evaluate all arguments")


# Text.


def _print(*arguments: Value) -> Value:
    from cp.config.template.fmt import sprint

    return sprint(*arguments)


def _println(*arguments: Value) -> Value:
    from cp.config.template.fmt import sprintln

    return sprintln(*arguments)


def _printf(form: str, *arguments: Value) -> Value:
    from cp.config.template.printf import sprintf

    return sprintf(form, arguments)


def _html(*arguments: Value) -> Value:
    from cp.config.template.escapes import html

    return html(_text(arguments))


def _js(*arguments: Value) -> Value:
    from cp.config.template.escapes import javascript

    return javascript(_text(arguments))


def _urlquery(*arguments: Value) -> Value:
    from cp.config.template.escapes import url_query

    return url_query(_text(arguments))


def _text(arguments: tuple[Value, ...]) -> str:
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    from cp.config.template.fmt import sprint

    return sprint(*("<no value>" if argument is None else argument for argument in arguments))


# ContainerPilot's own.


def _default(fallback: Value, value: Value) -> Value:
    if isinstance(value, str) and value:
        return value
    if isinstance(fallback, str):
        return fallback
    from cp.config.template.fmt import sprint

    return sprint(fallback)


def _split(separator: str, text: str) -> Value:
    text = text.strip(WHITE_SPACE)
    if not text:
        return Slice("string", [])
    count = text.count(separator) + 1 if separator else len(text)
    if count > MAX_LOOP:
        raise FunctionError(f"split: {count} parts are too many, {MAX_LOOP} is the limit")
    return Slice("string", text.split(separator) if separator else list(text))


def _join(separator: str, items: Slice | None) -> Value:
    if not items:
        return ""
    texts = [str(item) for item in items]
    _check_size("join", sum(map(len, texts)) + len(separator) * (len(texts) - 1))
    return separator.join(texts)


def _replace_all(old: str, new: str, text: str) -> Value:
    if len(new) > len(old):
        _check_size("replaceAll", len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _check_size(function: str, characters: int) -> None:
    if characters > MAX_TEXT:
        raise FunctionError(f"{function}: the result has {characters} characters, {MAX_TEXT} is the limit")


class _RegexReplaceAll:
    """The function and its remaining time, which all calls in a template share."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: float | None = None

    def __call__(self, pattern: str, replacement: str, text: str) -> Value:
        from cp.config.template.regexp import TIME_LIMIT, replace_all

        left = TIME_LIMIT if self._seconds is None else self._seconds
        result, self._seconds = replace_all(pattern, replacement, text, left)
        return result


MAX_LOOP = 1_000_000  # numbers, or parts of `split`; printing more would take seconds and gigabytes


def _loop(*bounds: Value) -> Value:
    if len(bounds) not in (1, 2):
        raise FunctionError(f"loop: wrong number of arguments, expected 1 or 2, but got {len(bounds)}")
    numbers = [_integer(bound) for bound in bounds]
    start, stop = (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    if abs(stop - start) > MAX_LOOP:
        raise FunctionError(f"loop: {abs(stop - start)} numbers are too many, {MAX_LOOP} is the limit")
    return Slice("int", range(start, stop, 1 if start <= stop else -1))


def _integer(value: Value) -> int:
    if type(value) is int:
        return value
    if not isinstance(value, str):
        raise FunctionError(f"loop: expected an integer, but got {'nil' if value is None else type_name(value)}")
    return atoi(value)


def atoi(text: str) -> int:
    """Go's strconv.Atoi: an optional sign and decimal digits, 64 bits. Raises FunctionError."""
    from cp.config.template.literals import quote

    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise FunctionError(f"strconv.Atoi: parsing {quote(text)}: invalid syntax")
    digits = digits.lstrip("0") or "0"
    number = int(digits) if len(digits) < 20 else MAX_INT + 2
    if text[0] == "-":
        number = -number
    if not MIN_INT <= number <= MAX_INT:
        raise FunctionError(f"strconv.Atoi: parsing {quote(text)}: value out of range")
    return number


_FUNCTIONS = {
    "and": Function(_never, ("",), ""),
    "or": Function(_never, ("",), ""),
    "not": Function(lambda value: not value, ("",)),
    "len": Function(_len, ("",)),
    "index": Function(_index, ("",), ""),
    "slice": Function(_slice, ("",), ""),
    "call": Function(_call, ("",), ""),
    "print": Function(_print, (), ""),
    "printf": Function(_printf, ("string",), ""),
    "println": Function(_println, (), ""),
    "html": Function(_html, (), ""),
    "js": Function(_js, (), ""),
    "urlquery": Function(_urlquery, (), ""),
    "eq": Function(equal_any, ("",), ""),
    "ne": Function(lambda first, second: not equal(first, second), ("", "")),
    "lt": Function(less, ("", "")),
    "le": Function(less_or_equal, ("", "")),
    "gt": Function(lambda first, second: not less_or_equal(first, second), ("", "")),
    "ge": Function(lambda first, second: not less(first, second), ("", "")),
    "default": Function(_default, ("", "")),
    "split": Function(_split, ("string", "string")),
    "join": Function(_join, ("string", "[]string")),
    "replaceAll": Function(_replace_all, ("string", "string", "string")),
    "loop": Function(_loop, (), ""),
}
