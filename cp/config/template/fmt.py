"""Go's fmt for the values of templates: Sprint, Sprintln, and the formatting of one value by one verb."""

from __future__ import annotations

from cp.config.template.values import Byte, Slice, sorted_items, to_bytes, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.template.values import Value

_BASES = {"d": (10, "d"), "v": (10, "d"), "b": (2, "b"), "o": (8, "o"), "O": (8, "o"), "x": (16, "x"), "X": (16, "X")}
_PREFIXES = {2: "0b", 16: "0x"}
_REPLACEMENT = "\ufffd"


def sprint(*values: Value) -> str:
    """Concatenate the values, with a space between two values if neither is a string."""
    printer = Printer()
    parts = []
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        if not is_string and not after_string:
            parts.append(" ")
        parts.append(printer.show(value, "v"))
        after_string = is_string
    return "".join(parts)


def sprintln(*values: Value) -> str:
    """Join the values with spaces, and add a line feed."""
    printer = Printer()
    return " ".join([printer.show(value, "v") for value in values]) + "\n"


class Printer:
    """Formats values with the flags of one verb."""

    __slots__ = ("go_syntax", "minus", "plus", "precision", "sharp", "space", "width", "zero")

    def __init__(self) -> None:
        self.sharp = False
        self.zero = False
        self.plus = False
        self.minus = False
        self.space = False
        self.go_syntax = False  # %#v
        self.width: int | None = None
        self.precision: int | None = None

    def show(self, value: Value, verb: str) -> str:
        if value is None:
            return self.pad("<nil>") if verb in "Tv" else f"%!{verb}(<nil>)"
        if verb == "T":
            return self.text(type_name(value))
        if isinstance(value, str):
            return self.string(value, verb)
        if isinstance(value, bool):
            return self.pad("true" if value else "false") if verb in "tv" else self.bad(value, verb)
        if isinstance(value, int):
            return self.integer(value, verb)
        if isinstance(value, float):
            return self.float(value, verb)
        if isinstance(value, complex):
            return self.complex(value, verb)
        if verb == "p":  # the address differs between two runs of Go, too
            return self.digits(id(value), 16, "x", not self.sharp)
        if verb == "w":  # refused for the whole value, while other verbs are applied to each item
            return self.bad(value, verb)
        if isinstance(value, Slice):
            items = [self.show(item, verb) for item in value]
            return f"{type_name(value)}{{{', '.join(items)}}}" if self.go_syntax else f"[{' '.join(items)}]"
        entries = [f"{self.show(key, verb)}:{self.show(item, verb)}" for key, item in sorted_items(value)]
        return f"{type_name(value)}{{{', '.join(entries)}}}" if self.go_syntax else f"map[{' '.join(entries)}]"

    def bad(self, value: Value, verb: str) -> str:
        """The text for a verb that the value does not support."""
        return f"%!{verb}({type_name(value)}={self.show(value, 'v')})"

    def pad(self, text: str, zero: bool | None = None) -> str:
        width = self.width or 0
        if self.minus:
            return text.ljust(width)
        return text.rjust(width, "0" if (self.zero if zero is None else zero) else " ")

    def text(self, text: str) -> str:
        return self.pad(text if self.precision is None else text[: self.precision])

    def string(self, value: str, verb: str) -> str:
        if verb == "s" or (verb == "v" and not self.go_syntax):
            return self.text(value)
        if verb == "q" or verb == "v":
            from cp.config.template.literals import can_backquote, quote

            value = value if self.precision is None else value[: self.precision]
            if self.sharp and can_backquote(value):
                return self.pad(f"`{value}`")
            return self.pad(quote(value, ascii_only=self.plus))
        if verb not in "xX":
            return self.bad(value, verb)
        data = to_bytes(value)
        if self.precision is not None:
            data = data[: self.precision]
        prefix = ("0" + verb) if self.sharp and data else ""
        pairs = [f"{byte:02{verb}}" for byte in data]
        return self.pad(prefix + f" {prefix}".join(pairs) if self.space else prefix + "".join(pairs))

    def integer(self, value: int, verb: str) -> str:
        if verb in _BASES:
            base, form = _BASES[verb]
            if verb == "v" and self.go_syntax and isinstance(value, Byte):
                return self.digits(value, 16, "x", True)
            return self.digits(value, base, form, self.sharp, octal_prefix=verb == "O")
        if verb in "cq":
            char = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else _REPLACEMENT
            if verb == "c":
                return self.pad(char)
            from cp.config.template.literals import quote

            return self.pad(quote(char, "'", self.plus))
        if verb != "U":
            return self.bad(value, verb)
        code = value % 2**64
        text = f"U+{code:0{max(self.precision or 0, 4)}X}"
        if self.sharp and code <= 0x10FFFF and chr(code).isprintable():
            text += f" '{chr(code)}'"
        return self.pad(text, zero=False)

    def digits(self, value: int, base: int, form: str, prefixed: bool, octal_prefix: bool = False) -> str:
        """Format an integer with leading zeros up to the precision, or up to the width if the flag requests it."""
        sign = "-" if value < 0 else "+" if self.plus else " " if self.space else ""
        least = self.precision
        if least == 0 and value == 0:
            return " " * (self.width or 0)
        if least is None:
            least = (self.width or 0) - len(sign) if self.zero and not self.minus else 0
        text = format(abs(value), form).rjust(least, "0")
        if prefixed and base == 8 and text[0] != "0":
            text = "0" + text
        elif prefixed and base in _PREFIXES:
            text = (_PREFIXES[base].upper() if form == "X" else _PREFIXES[base]) + text
        if octal_prefix:
            text = "0o" + text
        return self.pad(sign + text, zero=False)

    def float(self, value: float, verb: str) -> str:
        if verb not in "vbeEfFgGxX":
            return self.bad(value, verb)
        from cp.config.template.floats import format_float, with_point

        precision = self.precision
        if precision is None and verb in "eEfF":
            precision = 6
        text = format_float(value, {"v": "g", "F": "f"}.get(verb, verb), precision)
        sign = "-" if text[0] == "-" else "+" if self.plus else " " if self.space else ""
        text = text.lstrip("-")
        if self.sharp and verb != "b":
            text = with_point(text, verb, precision)
        if sign and self.zero and not self.minus and (self.width or 0) > len(text) + 1:
            return sign + text.rjust((self.width or 0) - 1, "0")
        return self.pad(sign + text)

    def complex(self, value: complex, verb: str) -> str:
        if verb not in "vbeEfFgGxX":
            return self.bad(value, verb)
        real = self.float(value.real, verb)
        plus, self.plus = self.plus, True
        imaginary = self.float(value.imag, verb)
        self.plus = plus
        return f"({real}{imaginary}i)"
