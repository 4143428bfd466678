"""The grammar of searches: what it reads, what it says of mistakes and where, and that it reads what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rqdash.model import names
from rqdash.model.registry import Registry
from rqdash.model.search import FIELDS, STATUS_WORDS, Search, SearchMistake, canonical, everything, literal, search, within
from rqdash.model.search_terms import PARTS, TIMES, Pattern, Span, Term
from tests.stored import HOSTILE

NAMES = st.binary(max_size=12).map(names.decoded) | st.text(max_size=12).filter(lambda name: name.isprintable())
PARTS_OF_WORDS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: Pattern(tuple(parts)))
LENGTHS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?(ms|s|m|h|d|w)([0-9]{1,2}(s|m))?", fullmatch=True)
SPANS = st.builds(Span, st.sampled_from(["<", "<=", ">", ">="]), LENGTHS)


def terms() -> st.SearchStrategy[Term]:
    words = st.lists(PARTS_OF_WORDS, min_size=1, max_size=3).map(tuple)
    full = st.lists(PARTS_OF_WORDS.filter(lambda word: any(word.parts) or not word.is_exact), min_size=1, max_size=3).map(tuple)
    statuses = st.lists(st.sampled_from(STATUS_WORDS).map(lambda word: Pattern((word,))), min_size=1, max_size=3).map(tuple)
    spans = st.lists(SPANS, min_size=1, max_size=3).map(tuple)
    whole = [field for field in FIELDS if field not in (*PARTS, *TIMES, "status")]
    return st.one_of(
        st.builds(Term, st.sampled_from(whole), words, st.just(()), st.booleans()),
        st.builds(Term, st.sampled_from(("", *PARTS)), full, st.just(()), st.booleans()),
        st.builds(Term, st.just("status"), statuses, st.just(()), st.booleans()),
        st.builds(Term, st.sampled_from(TIMES), st.just(()), spans, st.booleans()),
    )


def read(text: str) -> tuple[Search | None, SearchMistake | None]:
    try:
        return search(text), None
    except SearchMistake as mistake:
        return None, mistake


def test_the_grammar_of_the_design_is_read_term_by_term() -> None:
    text = 'queue:mail,high status:failed fn:app.tasks.* msg:"connection refused" age:>2h backend:prod-* -fn:app.noise user-42'

    found = search(text)

    assert found.terms == (
        Term("queue", (Pattern(("mail",)), Pattern(("high",)))),
        Term("status", (Pattern(("failed",)),)),
        Term("fn", (Pattern(("app.tasks.", "")),)),
        Term("msg", (Pattern(("connection refused",)),)),
        Term("age", spans=(Span(">", "2h"),)),
        Term("backend", (Pattern(("prod-", "")),)),
        Term("fn", (Pattern(("app.noise",)),), is_negated=True),
        Term("", (Pattern(("user-42",)),)),
    )
    assert [text[term.at :].startswith(term.field or "user") for term in found.terms[:6]] == [True] * 6
    assert text[found.terms[6].at] == "-"


@given(st.lists(terms(), max_size=5).map(tuple))
def test_what_is_written_is_read_back_the_same(conditions: tuple[Term, ...]) -> None:
    assert search(canonical(conditions)).terms == conditions


@given(st.text(max_size=60) | st.text(alphabet='a-:,*"\\ <>2hxqueue', max_size=30))
def test_any_text_is_read_or_explained_at_a_place_in_it(text: str) -> None:
    found, mistake = read(text)

    if found is not None:
        assert search(canonical(found.terms)).terms == found.terms
    else:
        assert mistake is not None
        assert 0 <= mistake.at <= len(text)
        assert mistake.message.endswith(".")
        assert mistake.problems == {"q": mistake.message}


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("status:failed quene:mail", 14, "Did you mean queue?"),
        ("  https://example", 2, "quote it"),
        ("status:queued,faild", 14, "Did you mean failed?"),
        ('fn:a "not closed', 5, "not closed"),
        ("queue:", 6, "A word is missing"),
        ("queue:a,,b", 8, "A word is missing"),
        ("a, b", 2, "A word is missing"),
        ("fn:a -", 5, "A minus excludes"),
        ("--fn:a", 0, "A minus excludes"),
        ("age:2h", 4, "age:>2h"),
        ("run:<1h,>soon", 8, "run:>2h"),
        ('desc:a,""', 7, "match everything"),
        (r'"a\q"', 2, "backslash"),
        ("x" * 20_001, 20_000, "longer than 20,000"),
        ("a " * 41, 80, "40 conditions"),
        ("a" + ",a" * 200, 0, "200 words"),
    ],
)
def test_a_mistake_says_what_is_wrong_and_where(text: str, at: int, says: str) -> None:
    _, mistake = read(text)

    assert mistake is not None
    assert mistake.at == at
    assert says in mistake.message


def test_a_field_that_a_list_has_not_is_a_mistake_there() -> None:
    with pytest.raises(SearchMistake, match=r"desc: cannot be looked for in this list. Fields here: backend, queue.") as caught:
        search("queue:a desc:b", fields=("queue", "backend"))

    assert caught.value.at == 8


def test_comma_is_or_space_is_and_and_a_minus_is_not() -> None:
    found = search("queue:mail,high -queue:high* backend:prod-*")

    assert [name for name in ("mail", "high", "higher", "low") if found.on_queue(name)] == ["mail"]
    assert found.queues == ("mail",)
    assert found.on_backend("prod-1")
    assert not found.on_backend("PROD-1")


@pytest.mark.parametrize("name", [*HOSTILE, "a*b", 'say "hi"', "back\\slash", "-minus", "\x00", "a\r\nb"])
def test_a_name_of_any_content_can_be_written_literally(name: str) -> None:
    found = search(f"queue:{literal(name)}")

    assert found.queues == (name,)
    assert "\n" not in found.text
    assert found.text.isascii() or name.isprintable()


def test_a_search_within_one_registry_of_a_queue_adds_both() -> None:
    found = search(within("-fn:app.noise", queue="two words", registry=Registry.FAILED))

    assert found.queues == ("two words",)
    assert found.registries == (Registry.FAILED,)
    assert len(found.of("fn")) == 1


@pytest.mark.parametrize(
    ("text", "registries"),
    [
        ("", set(Registry)),
        ("status:queued,failed", {Registry.QUEUED, Registry.FAILED}),
        ("status:stopped", {Registry.FAILED}),
        ("-status:failed", set(Registry) - {Registry.FAILED}),
        ("status:ready_to_enqueue", {Registry.READY}),
        ("status:rate_limited,created", set()),
        ("status:*ed -status:started", {Registry(word) for word in ("queued", "scheduled", "deferred", "failed", "finished", "canceled")}),
    ],
)
def test_a_status_names_the_registries_where_such_jobs_are(text: str, registries: set[Registry]) -> None:
    assert set(search(text).registries) == registries


def test_stopped_jobs_are_told_apart_within_the_failed_ones() -> None:
    stopped, others = search("status:stopped"), search("status:failed -status:stopped")

    assert (stopped.takes(Registry.FAILED), stopped.takes(Registry.FAILED, is_stopped=True)) == (False, True)
    assert (others.takes(Registry.FAILED), others.takes(Registry.FAILED, is_stopped=True)) == (True, False)


def test_whole_ids_are_those_without_globs() -> None:
    assert search("id:a,b").whole_ids == ("a", "b")
    assert search("id:a*").whole_ids is None
    assert search("-id:a").whole_ids is None
    assert search("a").whole_ids is None


@pytest.mark.parametrize(
    ("pattern", "text", "is_whole", "is_part"),
    [
        (("a",), "a", True, True),
        (("a",), "A", False, True),
        (("app.", ".send"), "app.mail.send", True, True),
        (("app.", ".send"), "app.send", False, False),
        (("a", "a"), "a", False, False),
        (("", ""), "", True, False),
        (("", "b", ""), "abc", True, True),
        (("größe",), "GRÖSSE", False, True),
        (("straße",), "STRASSE", False, True),
        (("k",), "\N{KELVIN SIGN}", False, False),
    ],
)
def test_globs_and_case_decide_what_a_word_matches(pattern: tuple[str, ...], text: str, *, is_whole: bool, is_part: bool) -> None:
    word = Pattern(pattern)

    assert (word.is_all_of(text), word.is_part_of(text)) == (is_whole, is_part)


@given(NAMES, NAMES)
def test_a_name_matches_itself_and_no_other(name: str, other: str) -> None:
    word = Pattern((name,))

    assert word.is_all_of(name)
    assert word.is_all_of(other) == (name == other)


def test_lengths_of_time_add_up_and_compare() -> None:
    term = search("age:>1h30m,<=500ms").terms[0]

    assert [seconds for seconds in (None, 0.5, 0.6, 5400, 5401) if term.takes(seconds)] == [0.5, 5401]
    assert search("run:>=1w").terms[0].takes(604_800.0)
    assert search("run:<1.5s").terms[0].takes(1.4)


def test_nothing_typed_is_everything() -> None:
    assert search("  ").is_empty
    assert everything().is_empty
    assert everything().on_queue("any")
