"""Files that mean harm: they end in a refusal, soon and small, and nothing in them is ever run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rqdash.profiles.readers import read as reading
from rqdash.profiles.readers.child import answer
from rqdash.profiles.readers.read import START, assembled, read_file
from rqdash.profiles.readers.values import Outcome, Severity

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "sentinel-configs"
MEASURE = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from rqdash.profiles.readers.read import read_file
content = sys.stdin.buffer.read()
began = resource.getrusage(resource.RUSAGE_SELF)
found = read_file(sys.argv[2], content)
own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
spent = own.ru_utime + own.ru_stime - began.ru_utime - began.ru_stime + child.ru_utime + child.ru_stime
peak = child.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([found.outcome.value, [finding.code for finding in found.findings], spent, peak]))
"""
SOAK_S = 60.0 if os.environ.get("RQDASH_SOAK") else 2.0


def _anchors() -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 12)]
    return "\n".join(lines)


HOSTILE: dict[str, tuple[str, Callable[[], str]]] = {
    "a list of 6 MB": ("list.py", lambda: f"X = [{'1,' * 3_000_000}]"),
    "a JSON list of 3 MB": ("list.json", lambda: f"[{'1,' * 1_500_000}1]"),
    "a list of 127 KiB": ("list.py", lambda: f"SENTINEL = {{'INSTANCES': [{'1,' * 64_000}]}}"),
    "a tower of powers": ("power.py", lambda: "REDIS_PORT = 9**9**9"),
    "a tower of powers as a database": ("power.py", lambda: "SENTINEL = {'INSTANCES': 9**9**9, 'DB': 9**9**9}"),
    "a long repetition": ("times.py", lambda: "REDIS_URL = 'redis://' * 10**9"),
    "deep brackets": ("deep.py", lambda: f"X = {'[' * 50_000}{']' * 50_000}"),
    "deep signs": ("deep.py", lambda: f"X = {'-' * 100_000}1"),
    "deep attributes": ("deep.py", lambda: f"REDIS_HOST = a{'.b' * 60_000}"),
    "deep sums": ("deep.py", lambda: f"REDIS_HOST = 'a'{' + 1' * 9_000}"),
    "deep JSON": ("deep.json", lambda: "[" * 120_000),
    "deep YAML": ("deep.yml", lambda: f"a: {'[' * 60_000}"),
    "many anchors": ("bomb.yml", _anchors),
    "doubling texts": ("double.py", lambda: "a = 'redis://h'\n" + "a = a + a\n" * 2_000 + "REDIS_URL = a"),
    "doubling lists": ("double.py", lambda: "a = [('h', 1)]\n" + "a = a + a\n" * 2_000 + "SENTINEL = {'INSTANCES': a}"),
    "nested lists": ("double.py", lambda: "a = [1]\n" + "a = [a, a]\n" * 2_000 + "SENTINEL = {'INSTANCES': a}"),
    "wide formats": ("wide.py", lambda: "REDIS_HOST = '{:>999999999}'.format('h')\nREDIS_PORT = f'{1:>999999999}'"),
    "NUL bytes": ("nul.py", lambda: "REDIS_HOST = 'h\0'\n"),
    "nothing but NUL bytes": ("nul", lambda: "\0" * 100_000),
    "a number of 5,000 digits": ("digits.py", lambda: f"REDIS_PORT = {'9' * 5_000}"),
    "one long line": ("long.env", lambda: f"REDIS_URL=redis://{'a' * 120_000}"),
    "many colons": ("long.txt", lambda: f"redis://{':' * 120_000}"),
    "many names": ("long.txt", lambda: "a " * 60_000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_soon_and_small(what: str) -> None:
    name, make = HOSTILE[what]

    command = [sys.executable, "-c", MEASURE, str(ROOT), name]
    measured = subprocess.run(command, input=make().encode(), capture_output=True, check=True, timeout=30)
    outcome, codes, spent_s, peak_bytes = json.loads(measured.stdout)

    assert outcome == "refuse"
    assert codes
    assert spent_s < 2
    assert peak_bytes < 256 * 1024 * 1024


def test_a_nul_byte_is_shown_where_it_is() -> None:
    found = read_file("x.py", b"A = 1\nREDIS_HOST = 'h\0'\n")

    assert [(each.line, each.column, each.code) for each in found.findings] == [(2, 16, "nul")]


def test_nothing_of_a_file_is_executed_or_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "PWNED_BY_IMPORT"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    content = f"""
import evil
from evil import *
REDIS_HOST = f"{{open({str(mark)!r}, 'w')}}"
REDIS_PORT = int(open({str(mark)!r}, 'w').name)
SENTINEL = {{'INSTANCES': [(__import__('evil').x, 1)], **evil.more, 'DB': [open(x) for x in [{str(mark)!r}]]}}
@evil.decorator
class Config(evil.Base, metaclass=evil.Meta):
    x = evil.y
"""

    found = read_file("settings.py", content.encode())
    read_file("35.py", (FIXTURES / "35_must_never_run.py").read_bytes())

    assert found.outcome is Outcome.REFUSE
    assert not mark.exists()
    assert not (ROOT / "PWNED_BY_IMPORT").exists()


def test_the_environment_of_the_dashboard_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "fixture-own-secret")

    found = read_file("x.py", b"import os\nREDIS_HOST = 'h'\nREDIS_PASSWORD = os.environ['SECRET_KEY']\n")

    assert [need.name for need in found.candidates[0].needs] == ["SECRET_KEY"]
    assert found.candidates[0].secrets.password is None


def test_a_reader_that_would_run_something_is_ended_before_it_does(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import rqdash.profiles.readers.child as child
child.answer = lambda name, content: open({str(tmp_path / "written")!r}, "w")
child.main()
"""

    ended = subprocess.run([sys.executable, "-c", script], input=b'{"name": "x"}\n', capture_output=True, timeout=30, check=False)

    assert ended.returncode == 3
    assert not (tmp_path / "written").exists()


def test_a_reader_that_does_not_end_is_ended_and_the_file_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = START.replace("import main; ", "import main; import rqdash.profiles.readers.child as child; ")
    monkeypatch.setattr(reading, "START", endless.replace("main()", "child.answer = lambda *_: any(iter(int, 1)); main()"))

    found = read_file("x.py", b"REDIS_HOST = 'h'\n")

    assert [each.code for each in found.findings] == ["too-much"]


def mutated(rng: random.Random, corpus: list[bytes]) -> bytes:
    """A file with a few changes of the kinds that break parsers."""
    content = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 8)):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.randint(0, 24))
        kind = rng.randrange(6)
        if kind == 0:
            content[start:end] = b""
        elif kind == 1:
            content[start:start] = rng.choice(TOKENS)
        elif kind == 2:
            content[start:end] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 4)))
        elif kind == 3:
            other = rng.choice(corpus)
            cut = rng.randrange(len(other) + 1)
            content[start:end] = other[cut : cut + rng.randint(1, 80)]
        elif kind == 4:
            content[start:start] = content[start:end] * rng.randint(1, 20)
        else:
            lines = bytes(content).split(b"\n")
            rng.shuffle(lines)
            content = bytearray(b"\n".join(lines))
    return bytes(content)


TOKENS = (
    b"{", b"}", b"[", b"]", b"(", b")", b",", b":", b"=", b"'", b'"', b"\\", b"\n", b"\r", b"\0", b"#", b"*", b"**", b"${", b"{{", b"%s",
    b"redis://", b"sentinel://", b";", b"@", b"?ssl_cert_reqs=", b"#m", b"os.environ['X']", b"None", b"True", b"1e999", b"-1", b"65536",
    b"SENTINEL", b"REDIS_URL", b"REDIS_HOST", b"RQ_QUEUES", b"INSTANCES", b"lambda: ", b" if x else ", b"f'{", b".format(", b".split(",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xf0\x9f\xa6\x8a", b"\\N{DASH}", b"&a ", b"*a", b"<<: ", b"!!python/object/apply:os.system ",
)  # fmt: skip


@pytest.mark.soak
def test_no_mutation_of_a_file_makes_the_reader_fail(capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(20_261)
    paths = sorted(FIXTURES.iterdir())
    corpus = [path.read_bytes() for path in paths] + EXTRA
    names = [path.name for path in paths] + ["x", "x.env", "x.yml", "x.json", "x.py", ".env"]
    deadline, executions, whole = time.monotonic() + SOAK_S, 0, 0

    while time.monotonic() < deadline:
        name, content = rng.choice(names), mutated(rng, corpus)
        found = assembled(name, json.loads(json.dumps(answer(name, content))))
        executions += 1
        if executions % 200 == 0:
            # The same through the whole of it, child process and limits included.
            whole += 1
            assert read_file(name, content) == found
        assert (found.outcome is Outcome.REFUSE) == (not found.candidates)
        assert (found.outcome is Outcome.ACCEPT) <= all(each.severity is not Severity.ERROR for each in found.findings)
        assert all(each.line >= 1 and each.column >= 1 and each.message for each in found.findings)
        assert b"fixture-" not in content or "fixture-" not in repr(found.findings)

    with capsys.disabled():
        print(f"\nimport fuzz: {executions} executions in {SOAK_S:g} s, {whole} of them in a child process, no failure")


EXTRA = [
    b"REDIS_HOST=h\nREDIS_PASSWORD=fixture-pw\nAPP_REDIS_URL=rediss://u:fixture-x@h:6380/1?ssl_cert_reqs=CERT_NONE\n",
    b"services:\n  w:\n    environment:\n      - REDIS_URL=redis://:${PW:-fixture-x}@redis:6379/0\n    command: rq worker -u redis://redis/5\n",
    b"redis://h1/0\njobs = rediss://u:fixture-p@h2/1\nredis-sentinel://fixture-u@s1:1,s2:2/3#lettuce\n",
    b'{"connections": [{"label": "s", "sentinels": "a:1, b:2", "sentinelName": "m", "password": "fixture-p"}]}',
    b'{"format": "rqdash/1", "profiles": [{"name": "a", "host": "h", "port": 1, "secrets": {"password": "fixture-p"}}]}',
]
