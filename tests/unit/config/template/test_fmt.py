"""The output of printf for each verb and its flags, and its errors for a wrong format."""

from __future__ import annotations

import pytest

from cp.config.template import render

ENVIRON = {"A": "x", "U": "héé"}
# Arguments of printf in a template, with the output of Go.
GENERAL = [
    ('"%v %v %v %v" 1 `a` true 2.5', "1 a true 2.5"),
    ('"%v %v" (loop 3) (split "," "a,b")', "[0 1 2] [a b]"),
    ('"%v|%+v" . .', "map[A:x U:héé]|map[A:x U:héé]"),
    ('"%#v %#v %#v" "a\\n" 1 (index "a" 0)', '"a\\n" 1 0x61'),
    (
        '"%#v %#v %#v" (split "," "a,b") (loop 2) .',
        '[]string{"a", "b"} []int{0, 1} map[string]string{"A":"x", "U":"héé"}',
    ),
    ('"%T %T %T %T %T" 1 1.5 "a" true 1i', "int float64 string bool complex128"),
    ('"%T %T %T %T" . (loop 2) (split "," "a") (index "a" 0)', "map[string]string []int []string uint8"),
    ('"%T %v %5v|" nil nil nil', "<nil> <nil> <nil>|"),
    ('"%d%%" 50', "50%"),
    ('"%t %5t|%-6t|" true false true', "true false|true  |"),
]
INTEGERS = [
    ('"%b %d %o %O %x %X %c %q %U" 10 10 10 10 255 255 97 97 97', "1010 10 12 0o12 ff FF a 'a' U+0061"),
    ('"%#b %#o %#x %#X %#U %#q" 5 8 255 255 9786 97', "0b101 010 0xff 0XFF U+263A '☺' 'a'"),
    ('"%+d % d %05d %-5d|%5d|%+05d" 5 5 5 5 -5 5', "+5  5 00005 5    |   -5|+0005"),
    ('"%.3d|%8.3d|%-8.3d|%08.3d|%.0d|" 5 5 5 5 0', "005|     005|005     |     005||"),
    ('"%03d" 7', "007"),
    ('"%d %x" (loop 9 12) (loop 9 12)', "[9 10 11] [9 a b]"),
    ('"%c %q %+q %U" 0x110000 -1 233 -1', "\ufffd '\ufffd' '\\u00e9' U+FFFFFFFFFFFFFFFF"),
]
FLOATS = [
    ('"%v %v %v %v" 1.0 1000000.0 123456.0 0.00001', "1 1e+06 123456 1e-05"),
    ('"%e %E %f %F %g %G" 1.5 1.5 1.5 1.5 1e21 1e21', "1.500000e+00 1.500000E+00 1.500000 1.500000 1e+21 1E+21"),
    (
        '"%.2f|%8.3f|%-8.1f|%+.1e|%08.2f|%+08.2f" 3.14159 3.14159 2.5 12345.0 -3.14159 2.0',
        "3.14|   3.142|2.5     |+1.2e+04|-0003.14|+0002.00",
    ),
    ('"%.3g %.10g %g %g" 1234.5 1234.5 1e100 123456789.0', "1.23e+03 1234.5 1e+100 1.23456789e+08"),
    ('"%#g %#.3g %#v %#.0f" 1.0 2.0 1.0 3.0', "1.00000 2.00 1 3."),
    ('"%x %X %.2x %#x" 1.5 -0.1 1.999 1.0', "0x1.8p+00 -0X1.999999999999AP-04 0x1.00p+01 0x1.0000p+00"),
    ('"%b %b" 1.0 -0.5', "4503599627370496p-52 -4503599627370496p-53"),
    ('"%v %.1f %+v" 1+2i 1.25-2i 1i', "(1+2i) (1.2-2.0i) (0+1i)"),
]
STRINGS = [
    ('"%s|%5s|%-5s|%.2s|%05s" "abc" "abc" "abc" .U "ab"', "abc|  abc|abc  |hé|000ab"),
    ('"%q %+q %#q %#q" "a\\"b\\n" .U "a\\tb" "`"', '"a\\"b\\n" "h\\u00e9\\u00e9" `a\tb` "`"'),
    ('"%x %X % x %#x %# x %.2x" "hello" "hi" "hi" "hi" "hi" "hello"', "68656c6c6f 6869 68 69 0x6869 0x68 0x69 6865"),
    ('"%q %s" (split "," "a,b") (split "," "a,b")', '["a" "b"] [a b]'),
    ('"%q" "\\xff\\u200b\\x00\\x7f"', '"\\xff\\u200b\\x00\\x7f"'),
]
INDEXED = [
    ('"%[2]d %[1]d" 11 22', "22 11"),
    ('"%d %d %#[1]x %#x" 16 17', "16 17 0x10 0x11"),
    ('"%[3]*.[2]*[1]f" 12.0 2 6', " 12.00"),
    ('"%*d|%-*d|%*d|" 5 1 5 2 -5 3', "    1|2    |3    |"),
    ('"%.*f|%.*f" 2 3.14159 -1 2.5', "3.14|%!(BADPREC)2.500000"),
]
WRONG = [
    ('"%d" "hi"', "%!d(string=hi)"),
    ('"%5d|%s|%t" "hi" 5 1', "%!d(string=   hi)|%!s(int=5)|%!t(int=1)"),
    ('"%z %!" 3 4', "%!z(int=3) %!!(int=4)"),
    ('"hi" "guys" 1 nil', "hi%!(EXTRA string=guys, int=1, <nil>)"),
    ('"hi%d"', "hi%!d(MISSING)"),
    ('"%d%s" 1', "1%!s(MISSING)"),
    ('"100%"', "100%!(NOVERB)"),
    ('"%-08.3"', "%!(NOVERB)"),
    ('"%*d %.*d" "a" 1 "b" 2', "%!(BADWIDTH)1 %!(BADPREC)2"),
    ('"%[5]d %[x]d %[]d %[1" 1', "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!(NOVERB)"),
    ('"%[3]2d|%[3].2d" 1 2 3', "%!d(BADINDEX)|%!d(BADINDEX)"),
    ('"%d %s" nil nil', "%!d(<nil>) %!s(<nil>)"),
    ('"%d %s" (split "," "a") (loop 2)', "[%!d(string=a)] [%!s(int=0) %!s(int=1)]"),
    ('"%w" "a"', "%!w(string=a)"),
    ('"%p" 1', "%!p(int=1)"),
    ('"%99999999d" 1', "%!(NOVERB)%!(EXTRA int=1)"),
]


@pytest.mark.parametrize(("arguments", "printed"), GENERAL + INTEGERS + FLOATS + STRINGS + INDEXED)
def test_printf_prints_as_go_does(arguments: str, printed: str) -> None:
    assert render(f"{{{{printf {arguments}}}}}", ENVIRON) == printed


@pytest.mark.parametrize(("arguments", "printed"), WRONG)
def test_printf_shows_errors_of_its_format_in_the_text(arguments: str, printed: str) -> None:
    assert render(f"{{{{printf {arguments}}}}}", ENVIRON) == printed


def test_the_address_of_a_list_is_a_hexadecimal_number() -> None:
    shown = render('{{printf "%p" (loop 3)}}', {})

    assert int(shown, 16) > 0
    assert shown.startswith("0x")
