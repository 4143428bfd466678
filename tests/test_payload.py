"""What is shown of stored bytes: by their meaning where they are honest, within bounds where they are not, and never by running them."""

from __future__ import annotations

import base64
import collections
import copyreg
import enum
import json
import pickle
import struct
import subprocess
import sys
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.model import payload
from rqdash.model.payload import Call, Shown
from rqdash.model.redaction import SHOWN

PROJECT = Path(__file__).parent.parent
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


class Color(enum.Enum):
    RED = "red"


@dataclass
class Order:
    """An object of an application."""

    id: int
    total: Decimal

    def capture(self) -> None:
        """What a job might run."""


@dataclass(slots=True)
class Line:
    """One with slots."""

    sku: str


class Tags(dict[str, int]):
    """A dict of an application."""


class Rows(list[int]):
    """A list of an application."""


class Stored:
    """An object that pickles as a call of what it is given."""

    def __init__(self, function: object, *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.reduced


def stored(function: str, *args: object, instance: object = None, protocol: int = 5, **kwargs: object) -> bytes:
    """The field data as RQ writes it."""
    return zlib.compress(pickle.dumps((function, instance, args, kwargs), protocol))


def every_shown(shown: Shown) -> list[Shown]:
    return [shown, *(inner for _, item in shown.items for inner in every_shown(item))]


def assert_bounded(shown: Shown) -> None:
    values = every_shown(shown)
    assert len(values) <= 500
    assert all(len(one.text) <= 2_001 and len(one.items) <= 100 and len(one.type) <= 700 for one in values)
    assert all("\n" not in one.text for one in values)
    assert repr(shown).encode()
    assert "".join(one.text + one.type + one.problem for one in values).encode()


# What honest jobs hold.


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_its_function_its_arguments_and_its_serializer(protocol: int) -> None:
    data = stored("app.mail.send", "a@b", 3, protocol=protocol, urgent=True, at=NOON)

    call = payload.call(data, SHOWN)

    assert (call.function, call.serializer, call.problem) == ("app.mail.send", "pickle", "")
    assert call.args == (Shown("str", "'a@b'"), Shown("int", "3"))
    assert call.kwargs == (("urgent", Shown("bool", "True")), ("at", Shown("datetime.datetime", "2026-11-23 12:00:05 UTC")))
    assert payload.function(data) == "app.mail.send"


def test_a_call_of_the_json_serializer_is_read_alike() -> None:
    data = zlib.compress(json.dumps(["app.mail.send", None, ["a@b", 1.5], {"tags": ["x", None]}]).encode())

    call = payload.call(data, SHOWN)

    assert (call.function, call.serializer, call.problem) == ("app.mail.send", "json", "")
    assert [argument.text for argument in call.args] == ["'a@b'", "1.5"]
    assert call.kwargs[0][1] == Shown("list", "['x', None]", (("0", Shown("str", "'x'")), ("1", Shown("None", "None"))))
    assert payload.function(data) == "app.mail.send"


def test_data_that_was_not_compressed_is_read_as_it_is() -> None:
    data = pickle.dumps(("app.f", None, (), {}))

    assert (payload.call(data, SHOWN).function, payload.function(data)) == ("app.f", "app.f")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("instance", [Order(1, Decimal(2)), Order])
def test_a_method_has_the_path_of_its_class_before_its_name(instance: object, protocol: int) -> None:
    data = stored("capture", instance=instance, protocol=protocol)

    assert payload.call(data, SHOWN).function == f"{__name__}.Order.capture"
    assert payload.function(data) == f"{__name__}.Order.capture"


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (None, "None", "None"),
        (2**64, "int", "18446744073709551616"),
        (-1.5, "float", "-1.5"),
        ("it's\n", "str", '"it\'s\\n"'),
        (b"\x00\xff", "bytes", r"b'\x00\xff'"),
        (b"", "bytes", "b''"),
        (bytearray(b"ab"), "bytearray", "bytearray(b'ab')"),
        ((), "tuple", "()"),
        ((1,), "tuple", "(1,)"),
        ({"a": {1: None}}, "dict", "{'a': {1: None}}"),
        ({1}, "set", "{1}"),
        (set(), "set", "set()"),
        (frozenset({1}), "frozenset", "frozenset({1})"),
        (NOON, "datetime.datetime", "2026-11-23 12:00:05 UTC"),
        (datetime(2026, 11, 23, 12, 0, 5, 7), "datetime.datetime", "2026-11-23 12:00:05.000007"),  # noqa: DTZ001
        (NOON.astimezone(ZoneInfo("Europe/Zurich")), "datetime.datetime", "2026-11-23 13:00:05 Europe/Zurich"),
        (NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30))), "datetime.datetime", "2026-11-23 08:30:05 -03:30"),
        (NOON.astimezone(timezone(timedelta(hours=2), "CEST")), "datetime.datetime", "2026-11-23 14:00:05 CEST"),
        (date(2026, 11, 23), "datetime.date", "2026-11-23"),
        (time(12, 0, 5), "datetime.time", "12:00:05"),
        (timedelta(1, 30), "datetime.timedelta", "1 day, 0:00:30"),
        (ZoneInfo("Europe/Zurich"), "zoneinfo.ZoneInfo", "ZoneInfo('Europe/Zurich')"),
        (uuid.UUID(int=5), "uuid.UUID", "UUID('00000000-0000-0000-0000-000000000005')"),
        (Decimal("1.50"), "decimal.Decimal", "Decimal('1.50')"),
        (PureWindowsPath(r"C:\a\b"), "pathlib.PureWindowsPath", r"PureWindowsPath('C:\\a\\b')"),
        (PurePosixPath("/a/b"), "pathlib.PurePosixPath", "PurePosixPath('/a/b')"),
        (PurePosixPath("a"), "pathlib.PurePosixPath", "PurePosixPath('a')"),
        (PurePosixPath(), "pathlib.PurePosixPath", "PurePosixPath('.')"),
        (collections.OrderedDict(a=1), "collections.OrderedDict", "OrderedDict({'a': 1})"),
        (collections.defaultdict(list, a=[1]), "collections.defaultdict", "defaultdict(list, {'a': [1]})"),
        (collections.deque([1, 2]), "collections.deque", "deque([1, 2])"),
        (Color.RED, f"{__name__}.Color", "Color('red')"),
        (Order(7, Decimal(1)), f"{__name__}.Order", "Order(id=7, total=Decimal('1'))"),
        (Tags(a=1), f"{__name__}.Tags", "Tags({'a': 1})"),
        (Rows([1]), f"{__name__}.Rows", "Rows([1])"),
        (Order, "import path", f"{__name__}.Order"),
    ],
    ids=repr,
)
def test_a_value_reads_alike_in_every_protocol(value: object, type_: str, text: str) -> None:
    shown = [payload.value(pickle.dumps(value, protocol), SHOWN) for protocol in PROTOCOLS]

    assert {(one.type, one.text, one.problem) for one in shown if one} == {(type_, text, "")}
    assert not any(one.is_truncated for one in shown if one)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_object_with_slots_shows_them(protocol: int) -> None:
    shown = payload.value(pickle.dumps(Line("A-1"), protocol), SHOWN)

    assert shown == Shown(f"{__name__}.Line", "Line(sku='A-1')", (("sku", Shown("str", "'A-1'")),))


def test_an_object_folds_into_its_attributes_and_a_plain_one_does_not() -> None:
    shown = payload.value(pickle.dumps({"order": Order(7, Decimal("1.5")), "not a name": 1, 2: 3}), SHOWN)

    assert shown is not None
    assert [key for key, _ in shown.items] == ["order", "'not a name'", "2"]
    assert shown.items[0][1].items == (("id", Shown("int", "7")), ("total", Shown("decimal.Decimal", "Decimal('1.5')")))


def test_a_long_value_is_cut_and_says_so() -> None:
    shown = payload.value(pickle.dumps(["x" * 5_000, *range(500)]), SHOWN)

    assert shown is not None
    assert (len(shown.text), shown.text[-1], shown.is_truncated) == (2_001, "…", True)
    assert len(shown.items) == 100
    assert shown.items[0][1].is_truncated


def test_more_arguments_than_are_shown_are_counted() -> None:
    call = payload.call(stored("app.f", *range(1_200)), SHOWN)

    assert len(call.args) == 100
    assert call.problem == "1,100 more arguments are not shown"


def test_long_bytes_show_their_size_and_large_numbers_their_bits() -> None:
    shown = payload.value(pickle.dumps([b"a" * 1_434, 2**5_000]), SHOWN)

    assert shown is not None
    assert [item.text[-8:] for _, item in shown.items] == ["'… 1.4 KB"[-8:], "001 bits"]


def test_a_return_value_is_base64_of_either_serializer() -> None:
    pickled = payload.return_value(base64.b64encode(pickle.dumps({"sent": 3})), SHOWN)
    plain = payload.return_value(base64.b64encode(json.dumps({"sent": 3}).encode()), SHOWN)

    assert pickled == plain == Shown("dict", "{'sent': 3}", (("sent", Shown("int", "3")),))


def test_an_exceptions_text_is_read_in_each_way_that_rq_has_stored_it() -> None:
    said = "Traceback…\nValueError: é"

    assert payload.text(base64.b64encode(zlib.compress(said.encode()))) == (said, False)
    assert payload.text(zlib.compress(said.encode())) == (said, False)
    assert payload.text(said.encode()) == (said, False)
    assert payload.text(b"error: plain") == ("error: plain", False)
    assert payload.text(zlib.compress(b"")) == ("", False)
    assert payload.text(None) == ("", False)


def test_a_long_text_is_cut_between_characters() -> None:
    text, is_truncated = payload.text(base64.b64encode(zlib.compress(("a" + "é" * 300_000).encode())))

    assert is_truncated
    assert len(text.encode()) <= payload.TEXT_BYTES
    assert set(text) == {"a", "é"}


def test_one_line_has_the_arguments_as_in_a_call() -> None:
    assert payload.one_line(payload.call(stored("app.f", "https://a", event="paid"), SHOWN)) == "'https://a', event='paid'"
    assert payload.one_line(Call("", (), (), "unknown")) == ""


def test_one_line_cuts_each_long_argument_and_the_whole() -> None:
    line = payload.one_line(payload.call(stored("app.f", "x" * 500, *range(500), event="paid"), SHOWN))

    assert line.startswith(f"'{'x' * 78}…, 0, 1, ")
    assert (len(line), line[-1]) == (200, "…")


# What cannot be read.


def test_nothing_stored_is_no_value() -> None:
    assert (payload.value(None, SHOWN), payload.value(b"", SHOWN), payload.return_value(None, SHOWN), payload.function(None)) == (
        None,
        None,
        None,
        "",
    )
    assert payload.call(None, SHOWN) == Call("", (), (), "unknown", "no data is stored: a worker cannot run this job")


def test_bytes_of_another_serializer_are_unknown_with_their_size() -> None:
    data = b"\xc1msgpack?" * 160

    assert payload.value(data, SHOWN) == Shown("unknown", "unknown, 1.4 KB", problem="unknown, 1.4 KB: not pickle, not JSON")
    assert payload.call(data, SHOWN) == Call("", (), (), "unknown", "unknown, 1.4 KB: not pickle, not JSON")
    assert payload.function(data) == ""
    assert payload.return_value(b"a", SHOWN) == Shown("unknown", "unknown, 1 B", problem="unknown, 1 B: not base64")


@pytest.mark.parametrize("value", [1, [], ("f",), (1, None, (), {}), ("f", None, 3, {}), ("f", None, (), [])])
@pytest.mark.parametrize("dumps", [pickle.dumps, lambda value: json.dumps(value).encode()])
def test_a_value_that_is_no_call_says_so(value: object, dumps: object) -> None:
    assert callable(dumps)

    call = payload.call(dumps(value), SHOWN)

    assert call.args == ()
    assert call.problem.startswith("unknown, ")


def test_a_call_cut_short_still_has_its_function() -> None:
    plain = pickle.dumps(("app.f", None, (1, 2, 3), {}))

    assert payload.call(plain[:-5], SHOWN) == Call(
        "app.f", (), (), "pickle", f"unknown, {len(plain) - 5} B: a pickle that ends early or is malformed"
    )
    assert payload.call(zlib.compress(plain)[:-9], SHOWN).problem.endswith("its compressed bytes end early")


def test_a_call_too_large_to_read_still_has_its_function() -> None:
    large = stored("app.f", "x" * 2_000_000)
    many = stored("app.f", list(range(200_000)))

    assert (
        payload.call(large, SHOWN).function
        == payload.call(many, SHOWN).function
        == payload.function(large)
        == payload.function(many)
        == "app.f"
    )
    assert payload.call(large, SHOWN).problem == "unknown, 2 KB: over 1 MB of it, more than is read"
    assert payload.call(many, SHOWN).problem.endswith(": a pickle of more than 100,000 instructions")


def test_200_kb_that_inflate_to_200_mb_are_refused_but_for_the_function() -> None:
    call = payload.call(BOMB, SHOWN)

    assert (call.function, call.args, call.serializer) == ("app.f", (), "pickle")
    assert call.problem.endswith(": over 1 MB of it, more than is read")


def test_names_that_are_not_printable_are_escaped_and_cut() -> None:
    data = stored("a\n\u202e\ud800" + "é" * 1_000)

    call = payload.call(data, SHOWN)

    assert call.function.startswith(r"a\n\u202e\ud800\xe9")
    assert len(call.function) <= 600
    assert payload.function(data) == call.function


# What must not run.


def evil_pickles(witness: Path) -> list[bytes]:
    """Pickles that create the file when they are loaded, by each instruction that calls something."""
    opener, args = b"cbuiltins\nopen\n", b"V" + str(witness).encode() + b"\nVw\n"
    return [
        *(pickle.dumps(Stored(open, str(witness), "w"), protocol) for protocol in PROTOCOLS),
        *(pickle.dumps(Stored(Path.touch, witness), protocol) for protocol in PROTOCOLS),
        b"(" + args + b"ibuiltins\nopen\n.",
        b"(" + opener + args + b"o.",
        b"cbuiltins\neval\n(V__import__('pathlib').Path(r'" + str(witness).encode() + b"').touch()\ntR.",
        pickle.dumps([{"key": (1, Stored(open, str(witness), "w"))}]),
    ]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    evil = evil_pickles(tmp_path / "witness")

    for data in evil:
        payload.value(data, SHOWN)
        payload.return_value(base64.b64encode(data), SHOWN)
        payload.text(data)
        payload.function(zlib.compress(data))
        payload.call(zlib.compress(data), SHOWN)
    call = payload.call(
        stored("f", Stored(open, str(tmp_path / "witness"), "w"), instance=Stored(open, str(tmp_path / "witness"), "w")), SHOWN
    )

    assert call.args[0].text.startswith("open('/")
    assert list(tmp_path.iterdir()) == []


def test_the_same_pickles_do_run_when_they_are_loaded(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    program = "import pickle, sys, os\nfor line in sys.stdin:\n    pickle.loads(bytes.fromhex(line)); os.remove(sys.argv[1]); print('ran')"
    evil = "\n".join(data.hex() for data in evil_pickles(witness))

    command = [sys.executable, "-c", program, str(witness)]
    ended = subprocess.run(command, input=evil, capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout.count("ran") == len(evil_pickles(witness))


def test_a_registered_extension_is_not_looked_up() -> None:
    copyreg.add_extension("builtins", "open", 240)

    shown = payload.value(b"\x80\x02\x82\xf0(Vx\nVw\ntR.", SHOWN)

    copyreg.remove_extension("builtins", "open", 240)
    assert shown is not None
    assert shown.text == "<extension 240>('x', 'w')"


def test_what_only_a_worker_could_know_is_a_placeholder() -> None:
    shown = [payload.value(data, SHOWN) for data in (b"\x80\x04\x82\x05.", b"P12\n.", b"\x80\x04K\x0cQ.", b"\x80\x05\x97\x98.")]

    assert [one.text for one in shown if one] == ["<extension 5>", "<persistent id 12>", "<persistent id>", "<buffer>"]
    assert all(one.type == "unknown" and one.problem for one in shown if one)


LIMITED_BYTES = 512 * 1_048_576
PROGRAM = f"""
import resource, sys
from rqdash.model import payload, redaction
from rqdash.model.profile import Profile
hides = redaction.of(Profile(""))
resource.setrlimit(resource.RLIMIT_AS, ({LIMITED_BYTES}, {LIMITED_BYTES}))
for line in sys.stdin:
    data = bytes.fromhex(line)
    call, value = payload.call(data, hides), payload.value(data, hides)
    payload.return_value(data, hides), payload.text(data), payload.function(data), payload.one_line(call)
    assert len(repr(call)) + len(repr(value)) < 1_000_000
    print(value.type)
"""


def inflating(start: bytes) -> bytes:
    """200 KB that inflate to start and 200 MB."""
    engine = zlib.compressobj()
    return b"".join([engine.compress(start), *(engine.compress(bytes(1_048_576)) for _ in range(200)), engine.flush()])


TEXT_100K = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
BOMB = inflating(b"\x80\x04(\x8c\x05app.fNB" + struct.pack("<I", 200 * 1_048_576))
BIG_TUPLE = b"(" + b"N" * 9_000 + b"t"
HOSTILE = {
    "memo bomb": (b"\x80\x04\x4e\x72\xff\xff\xff\x7f\x2e", "None"),
    "memo bomb in text": (b"\x80\x04Np99999999999999999999\n.", "None"),
    "deep list": (b"\x80\x04" + b"]" * 30_000 + b"a" * 29_999 + b".", "list"),
    "deep tuples": (b"\x80\x04N" + b"\x85" * 99_000 + b".", "tuple"),
    "deep objects": (b"\x80\x04cm\nC\n" + b")R" * 40_000 + b".", "object"),
    "deep arguments": (b"\x80\x04" + b"cm\nC\n" * 20_000 + b")" + b"\x85R" * 20_000 + b".", "m.C"),
    "deep states": (b"\x80\x04" + b"cm\nC\n)R" * 20_000 + b"b" * 19_999 + b".", "m.C"),
    "deep bytes": (b"\x80\x04" + b"cbuiltins\nbytearray\n" * 20_000 + b")" + b"\x85R" * 20_000 + b".", "bytearray"),
    "deep getattr": (b"\x80\x04" + b"cbuiltins\ngetattr\n" * 20_000 + b"cm\nC\n" + b"Va\n\x86R" * 20_000 + b".", "getattr"),
    "deep json": (b"[" * 100_000, "unknown"),
    "deep json objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "unknown"),
    "marks": (b"\x80\x04" + b"(" * 99_000 + b".", "unknown"),
    "zip bomb of a call": (BOMB, "unknown"),
    "zip bomb in base64": (base64.b64encode(BOMB), "unknown"),
    "shared lists": (b"\x80\x04N\x94" + b"".join(b"]\x94(h" + bytes([n]) + b"h" + bytes([n]) + b"e" for n in range(60)) + b".", "list"),
    "shared dicts": (b"\x80\x04N\x94" + b"".join(b"}\x94(Kah" + bytes([n]) + b"Kbh" + bytes([n]) + b"u" for n in range(60)) + b".", "dict"),
    "cycle": (b"\x80\x04]\x94" + b"(" + b"h\x00" * 40_000 + b"e.", "list"),
    "cycle of an object": (b"\x80\x04cm\nC\n)R\x94}X\x01\x00\x00\x00ah\x00sb.", "m.C"),
    "object of itself": (b"\x80\x04cm\nC\n)R\x94h\x00b.", "m.C"),
    "shared text": (b"\x80\x04" + TEXT_100K + b"\x940(" + b"h\x00" * 40_000 + b"l.", "list"),
    "copies of bytes": (
        b"\x80\x04" + TEXT_100K + b"\x940c_codecs\nencode\n\x940Vlatin1\n\x940(" + b"h\x01h\x00h\x02\x86R" * 15_000 + b"l.",
        "list",
    ),
    "copies of a tuple": (b"\x80\x04" + BIG_TUPLE + b"\x940ccopyreg\n__newobj__\n\x940(" + b"h\x01h\x00R" * 25_000 + b"l.", "list"),
    "long names": (b"\x80\x04" + TEXT_100K + b"\x940(" + b"h\x00h\x00\x93" * 25_000 + b"l.", "list"),
    "long integer": (b"\x80\x04\x8b" + struct.pack("<i", 1_000_000) + b"\x7f" * 1_000_000 + b".", "int"),
    "long integer as text": (b"L" + b"9" * 1_000_000 + b"L\n.", "int"),
    "long integer in json": (b"[" + b"9" * 1_000_000 + b"]", "list"),
    "long float as text": (b"F" + b"9" * 1_000_000 + b"\n.", "float"),
    "length of 2 GB": (b"\x80\x04\x8b\xff\xff\xff\x7f.", "unknown"),
    "length of 2^63": (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", "unknown"),
    "length of 2^64": (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "unknown"),
    "negative length": (b"\x80\x04T\xff\xff\xff\xff.", "unknown"),
    "escapes": (b"S'" + b"\\q" * 400_000 + b"'\n.", "str"),
    "unicode escapes": (b"V" + b"\\ud800" * 150_000 + b"\n.", "str"),
    "empty objects in json": (b"[" + b"{}," * 340_000 + b"{}]", "unknown"),
    "colliding keys": (
        b"\x80\x04}(" + b"".join(b"\x8a\x08" + struct.pack("<q", n << 61) + b"N" for n in range(1, 3)) * 20_000 + b"u.",
        "dict",
    ),
    "unhashable keys": (b"\x80\x04}(]N}Nu.", "dict"),
    "append to a number": (b"\x80\x04K\x01K\x01a.", "unknown"),
    "build on a number": (b"\x80\x04K\x01}b.", "object"),
    "nothing": (b".", "unknown"),
}


def test_hostile_bytes_are_shown_or_refused_in_bounded_memory() -> None:
    lines = "\n".join(data.hex() for data, _ in HOSTILE.values())

    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=300, check=False, cwd=PROJECT)

    assert ended.stderr == ""
    # Running out of memory would be shown too, as "unknown": so the ones that can be read must have been.
    assert dict(zip(HOSTILE, ended.stdout.split("\n"), strict=False)) == {name: type_ for name, (_, type_) in HOSTILE.items()}


@pytest.mark.parametrize("data", [data for data, _ in HOSTILE.values()], ids=HOSTILE.keys())
def test_hostile_bytes_show_within_bounds(data: bytes) -> None:
    shown = payload.value(data, SHOWN)

    assert shown is not None
    assert_bounded(shown)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.uuids()
    | st.datetimes()
    | st.timedeltas(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.frozensets(st.integers()) | st.sets(st.text())
    ),
    max_leaves=20,
)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_are_shown_or_refused(data: bytes) -> None:
    for raw in (data, b"\x80\x04" + data, b"[" + data, zlib.compress(data), base64.b64encode(data), data + b"."):
        for shown in (payload.value(raw, SHOWN), payload.return_value(raw, SHOWN)):
            assert shown is None or assert_bounded(shown) is None
        call = payload.call(raw, SHOWN)
        assert (payload.function(raw) + call.function + payload.one_line(call) + call.problem + payload.text(raw)[0]).encode()


@settings(deadline=None, derandomize=True)
@given(VALUES, st.sampled_from(PROTOCOLS))
def test_any_value_is_shown_in_every_protocol(value: object, protocol: int) -> None:
    shown = payload.value(pickle.dumps(value, protocol), SHOWN)

    assert shown is not None
    assert shown.problem == ""
    assert shown.type.rpartition(".")[2] == type(value).__name__.removesuffix("Type")
    assert_bounded(shown)


@settings(deadline=None, derandomize=True)
@given(VALUES, st.sampled_from(PROTOCOLS), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), min_size=1, max_size=5))
def test_a_damaged_pickle_is_shown_or_refused(value: object, protocol: int, damage: list[tuple[int, bytes]]) -> None:
    data = pickle.dumps(("app.f", None, (value,), {"key": value}), protocol)
    for position, replacement in damage:
        at = position % len(data)
        data = data[:at] + replacement + data[at + len(replacement) :]

    shown, call = payload.value(data, SHOWN), payload.call(data, SHOWN)

    assert shown is None or assert_bounded(shown) is None
    assert all(assert_bounded(argument) is None for argument in call.args)
    assert payload.function(data).isprintable()


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1), VALUES, st.sampled_from(PROTOCOLS), st.none() | st.just(Order(1, Decimal(1))))
def test_the_function_alone_is_that_of_the_call(name: str, value: object, protocol: int, instance: object) -> None:
    data = stored(name, value, protocol=protocol, instance=instance)

    assert payload.function(data) == payload.call(data, SHOWN).function
