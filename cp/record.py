"""The base of frozen data: slots, keyword arguments, comparison by value.

`dataclasses` does the same, but its import takes 15 ms.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self, dataclass_transform  # part of the type checker

    @dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
    class _Transform(type): ...

    _Meta = _Transform
else:

    class _Meta(type):
        """Turns annotated names into slots."""

        def __new__(mcs, name, bases, namespace):
            own = fields = _annotated(namespace)
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            for base in bases:
                fields = getattr(base, "_fields", ()) + fields
                defaults = {**getattr(base, "_defaults", {}), **defaults}
            namespace["__slots__"] = own
            namespace["_fields"] = fields
            namespace["_defaults"] = defaults
            cls = super().__new__(mcs, name, bases, namespace)
            cls._setters = tuple((field, getattr(cls, field).__set__) for field in fields)
            return cls

    def _annotated(namespace):
        """The annotated names of a class body."""
        found = namespace.get("__annotations__")
        if found is None and namespace.keys() & {"__annotate__", "__annotate_func__"}:
            # From Python 3.14 on, a class body has a function instead, unless its module imports the future (PEP 649).
            from annotationlib import Format, call_annotate_function, get_annotate_from_class_namespace

            found = call_annotate_function(get_annotate_from_class_namespace(namespace), Format.FORWARDREF)
        return tuple(found or ())


class Record(metaclass=_Meta):
    """The base of all plan data: frozen, slotted, keyword-only, comparable by value."""

    if not TYPE_CHECKING:

        def __init__(self, **values):
            merged = {**self._defaults, **values}
            for field, put in self._setters:
                if field not in merged:
                    raise TypeError(f"{type(self).__name__} needs {field!r}")
                put(self, merged[field])
            if len(merged) != len(self._setters):
                unknown = sorted(merged.keys() - set(self._fields))
                raise TypeError(f"{type(self).__name__} has no {unknown[0]!r}")

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} is frozen")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field) for field in getattr(self, "_fields", ()))

    def __eq__(self, other: object) -> bool:
        if self is other:  # a heartbeat compares a service with itself
            return True
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields: tuple[str, ...] = getattr(self, "_fields", ())
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)!r}' for f in fields)})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed. Raises TypeError for an unknown field."""
        return type(self)(**{**dict(zip(getattr(self, "_fields", ()), self._values(), strict=True)), **changes})
