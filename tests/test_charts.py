"""What pages draw of the history: sparklines, charts and their tables; gaps stay gaps, each slot is read once, and grants hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import StoreError
from rqdash.history.archive import Archive
from rqdash.history.reading import Points, Reading
from rqdash.model.names import ref
from rqdash.store import open_store
from rqdash.web import charts, sparks
from rqdash.web.charts import Row, of_a_queue, of_backends
from rqdash.web.digest import digest
from rqdash.web.marks import Mark
from rqdash.web.trends import Trends, Window, window
from tests.conftest import backend_of
from tests.recorded import Slot, past, record
from tests.site import Browser, Site, site
from tests.stored import HOSTILE, Stored

BEGIN = 1_800_000_000
NOW = datetime.fromtimestamp(BEGIN, UTC)
LIVE = Mark("live", hue="indigo")


def points(*values: float | None) -> Points:
    return Points(0, 120, values)


def test_a_gap_breaks_the_line_and_a_slot_alone_is_a_point() -> None:
    spark = sparks.level("Queued", points(12, 40, None, 431, None, None, 100, 80))

    assert spark is not None
    assert spark.line.count("M") == 3
    assert re.search(r"M[\d.]+ 2\.5h0", spark.line), "the highest stands alone"
    assert spark.says == "Queued, last hour: 12 to 431, not sampled all the time"
    assert (spark.low, spark.high, spark.last, spark.change) == (12, 431, 80, 68)


def test_what_was_not_sampled_has_no_sparkline_and_no_change() -> None:
    began = sparks.level("Queued", points(None, 3))

    assert sparks.level("Queued", points(None, None)) is None
    assert began is not None
    assert began.change is None


@pytest.mark.parametrize(("value", "down"), [(0, 15.5), (7, 9)])
def test_what_never_changes_is_a_flat_line_at_the_bottom_only_when_it_is_zero(value: float, down: float) -> None:
    spark = sparks.level("Queued", points(*[value] * 3))

    assert spark is not None
    assert spark.line == f"M1 {down:g}L30.5 {down:g} 60 {down:g}"
    assert spark.says == f"Queued, last hour: {value} throughout"


def test_failures_are_bars_from_zero_and_a_gap_has_none() -> None:
    spark = sparks.rate("Failed a minute", points(0, None, 10, 5))

    assert spark is not None
    assert (spark.line.count("V"), spark.dot, spark.is_bars) == (3, None, True)


def test_a_sum_has_a_gap_where_one_of_its_parts_has_one() -> None:
    assert sparks.summed([points(1, 2, None, 4), points(10, None, 30, 40)]) == points(11, None, None, 44)
    assert sparks.summed([]) is None


def test_a_window_ends_with_the_last_slot_that_is_over_and_settled() -> None:
    at = window(3600, 120, now=NOW + timedelta(seconds=124))

    assert at == Window(BEGIN - 3600, BEGIN, 120)
    assert window(3600, 120, now=NOW + timedelta(seconds=126)).stop == BEGIN + 120


class Counted(Reading):
    """A reading that notes what it was asked for."""

    asked: list[tuple[float, float]]

    def backends(self, names: Sequence[str], measure: str, **at: Any) -> dict[str, Points]:
        self.asked.append((at["start"], at["stop"]))
        return super().backends(names, measure, **at)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with closing(open_store("", data_dir=tmp_path)) as store, closing(Archive(store)) as found:
        yield found


@pytest.fixture
def reading(archive: Archive) -> Counted:
    found = Counted(archive)
    found.asked = []
    return found


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_each_slot_is_read_once_for_all_who_look_and_a_moved_window_says_what_a_fresh_one_does(archive: Archive, reading: Counted) -> None:
    trends = Trends(reading)
    record(archive, "live", past(BEGIN, ["mail", "high"]))
    of_backends(trends, [LIVE], "1h", now=later(5))
    reading.asked.clear()

    of_backends(trends, [LIVE], "1h", now=later(14))
    same = list(reading.asked)
    record(archive, "live", [Slot(BEGIN, {"mail": {"queued": 7}})])
    moved = of_backends(trends, [LIVE], "1h", now=later(15))

    assert same == []
    assert set(reading.asked) == {(BEGIN, BEGIN + 10)}
    assert moved.charts[0].series[0].last == 7
    assert moved == of_backends(Trends(Reading(archive)), [LIVE], "1h", now=later(15))


def test_after_a_while_a_window_is_read_anew_for_its_name_may_mean_another_backend(archive: Archive, reading: Counted) -> None:
    trends = Trends(reading)
    record(archive, "live", past(BEGIN, ["mail"]), key="first")
    of_backends(trends, [LIVE], "1h", now=later(5))
    record(archive, "live", [Slot(BEGIN + 900, {"mail": {"queued": 7}})], key="second")

    then = of_backends(trends, [LIVE], "1h", now=later(915))

    assert [value for value in then.charts[0].series[0].values if value is not None] == [7]


def test_sparklines_of_all_queues_move_on_and_queues_that_are_gone_leave(archive: Archive, reading: Counted) -> None:
    trends = Trends(reading)
    record(archive, "live", [Slot(BEGIN - 3600, {"old": {"queued": 1}}), Slot(BEGIN - 120, {"mail": {"queued": 3}})])
    first = trends.waiting("live", now=later(5))
    record(archive, "live", [Slot(BEGIN, {name: {"queued": 9} for name in ("mail", "new")})])

    then = trends.waiting("live", now=later(125))

    assert set(first) == {"old", "mail"}
    assert set(then) == {"mail", "new"}
    assert then["mail"].says == "Queued, last hour: 3 to 9, not sampled all the time"
    assert then == Trends(Reading(archive)).waiting("live", now=later(125))


def test_a_page_changes_with_a_new_slot_and_not_before(archive: Archive, reading: Counted) -> None:
    trends = Trends(reading)
    record(archive, "live", past(BEGIN, ["mail"]))
    shown = digest(of_backends(trends, [LIVE], "1h", now=later(5)))
    listed = digest(trends.waiting("live", now=later(5)))

    assert digest(of_backends(trends, [LIVE], "1h", now=later(14))) == shown
    assert digest(of_backends(trends, [LIVE], "1h", now=later(15))) != shown
    assert digest(trends.waiting("live", now=later(124))) == listed


def test_a_chart_keeps_gaps_and_its_table_says_each_as_one_row(archive: Archive, reading: Counted) -> None:
    record(archive, "live", [Slot(BEGIN - ago, {"mail": {"queued": ago}}) for ago in (10, 20, 60)])

    chart = of_a_queue(Trends(reading), [LIVE], "mail", "1h", now=later(5)).charts[0]

    assert chart.series[0].values[-6:] == (60, None, None, None, 20, 10)
    assert chart.rows() == (
        Row(later(-10), None, (10,)),
        Row(later(-20), None, (20,)),
        Row(later(-50), later(-20)),
        Row(later(-60), None, (60,)),
        Row(later(-3600), later(-60)),
    )


def test_lines_of_one_colour_are_told_apart_and_values_are_as_they_are_said(archive: Archive, reading: Counted) -> None:
    marks = [LIVE, Mark("other", hue="indigo"), Mark("third", hue="teal")]
    for mark in marks:
        record(archive, mark.name, [Slot(BEGIN - 10, {"mail": {"oldest_s": 848}}, {"finished_per_min": 1234.5678})])

    history = of_backends(Trends(reading), [*marks, Mark("new")], "1h", now=later(5))

    chart = {chart.key: chart for chart in history.charts}
    assert [line.dash for line in chart["finished"].series] == [0, 1, 0]
    assert [(line.label, line.dash) for line in chart["workers"].series[:4]] == [("busy", 0), ("all", 1), ("busy", 2), ("all", 3)]
    assert chart["finished"].said(chart["finished"].series[0].last) == "1,234.57"
    assert chart["oldest"].said(chart["oldest"].series[0].last) == "14 m 08 s"
    assert chart["queued"].said(None) == "–"
    assert history.without == ("new",)


@pytest.mark.parametrize(
    ("span", "slot"), [("1h", "10 s"), ("6h", "1 min"), ("24h", "5 min"), ("7d", "30 min"), ("30d", "2 h"), ("1y", "1 d")]
)
def test_every_range_has_its_slots(archive: Archive, reading: Counted, span: str, slot: str) -> None:
    record(archive, "live", [Slot(BEGIN - 100 * 86400, {"mail": {"queued": 1}}), Slot(BEGIN - 10, {"mail": {"queued": 5}})])

    chart = of_backends(Trends(reading), [LIVE], span, now=later(5)).charts[0]

    assert chart.slot == slot
    assert 280 <= len(chart.series[0].values) <= 400
    assert chart.starts_at.timestamp() + chart.step_s * len(chart.series[0].values) <= BEGIN


def test_a_history_that_cannot_be_read_is_said_and_takes_no_page_along(tmp_path: Path, archive: Archive, reading: Counted) -> None:
    (tmp_path / "history.db").write_bytes(b"no database" * 999)
    trends = Trends(reading)

    found = of_backends(trends, [LIVE], "1h", now=NOW)

    assert found.charts == ()
    assert found.problem != ""
    assert trends.waiting("live", now=NOW) == {}
    with pytest.raises(StoreError):
        trends.backends(["live"], "queued", at=window(3600, 120, now=NOW))


def test_without_a_recorder_there_is_nothing_and_no_problem() -> None:
    found = of_backends(Trends(None), [LIVE], "1h", now=NOW)

    assert (found.charts, found.without, found.problem) == ((), ("live",), "")


@pytest.fixture(scope="module")
def here(_shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two backends on one server, with an hour of history of both."""
    backends = {name: backend_of(_shared_server, name=name) for name in ("live", "other")}
    data_dir = tmp_path_factory.mktemp("charts")
    made = site(data_dir, backends)
    now = datetime.now(UTC).timestamp()
    with closing(open_store("", data_dir=data_dir)) as store, closing(Archive(store)) as archive:
        for name in backends:
            record(archive, name, past(now, ["mail", *HOSTILE], gap=(600, 300)))
    yield made
    for backend in backends.values():
        backend.close()


@pytest.fixture(scope="module")
def mira(here: Site) -> Browser:
    return here.sign_in("operator")


def test_charts_are_of_the_backends_the_caller_may_see(here: Site) -> None:
    noor = here.sign_in("viewer", grants=("live",))

    page = noor.get("/insights").get_data(as_text=True)
    data = noor.get("/insights.json").json

    assert "live" in page
    assert "other" not in page
    assert {line["mark"]["name"] for chart in data["history"]["charts"] for line in chart["series"]} == {"live"}
    assert [noor.get(f"{path}?backend=other").status_code for path in ("/insights", "/insights.json", "/api/v1/insights")] == [
        404,
        404,
        401,
    ]
    assert noor.get("/insights?backend=live&backend=other").status_code == 404


def test_the_table_says_what_the_json_says_and_the_range_is_in_the_address(mira: Browser) -> None:
    page = mira.get("/insights?range=6h&backend=live&rows=all").get_data(as_text=True)
    chart = mira.get("/insights.json?range=6h&backend=live").json["history"]["charts"][0]

    table = page.partition('id="chart-queued"')[2].partition("</table>")[0]
    values = [value for value in chart["series"][0]["values"] if value is not None]
    assert chart["step_s"] == 60
    assert re.findall(r'<td class="num">([\d,.]+)</td>', table) == [f"{value:,g}" for value in reversed(values)]
    assert table.count("not sampled until") == 2
    assert 'aria-current="true">6 h</a>' in page
    assert "range=6h&amp;backend=live" in page or "backend=live&amp;range=6h" in page


def test_a_long_table_is_cut_and_says_where_the_rest_is(mira: Browser) -> None:
    page = mira.get("/insights?backend=live").get_data(as_text=True)

    table = page.partition('id="chart-queued"')[2].partition("</section>")[0]
    assert table.count("<tr>") == charts.ROWS + 1
    assert re.search(r'href="[^"]*rows=all[^"]*#chart-queued">Show all 33\d rows<', table)


@pytest.mark.parametrize("query", ["range=nope", "range=", "range=1h&range=7d", "rows=nope", "backend=live&queue=nobody"])
def test_whatever_is_asked_for_there_is_a_page(mira: Browser, query: str) -> None:
    assert mira.get(f"/insights?{query}").status_code == 200


@pytest.mark.parametrize("queue", HOSTILE)
def test_the_charts_of_a_queue_whatever_its_name(mira: Browser, queue: str) -> None:
    query = {"backend": "live", "queue": ref(queue), "range": "1h"}

    page = mira.get("/insights", query_string=query)
    data = mira.get("/insights.json", query_string=query).json

    assert page.status_code == 200
    assert "<script>alert" not in page.get_data(as_text=True)
    assert data["history"]["queue"] == queue
    assert [chart["key"] for chart in data["history"]["charts"]] == ["queued", "oldest", "running", "failed", "workers"]


def test_a_digest_of_no_queue_is_not_found(mira: Browser) -> None:
    assert mira.get("/insights", query_string={"queue": "~" + "0" * 64}).status_code == 404


@pytest.mark.parametrize("queue", [HOSTILE[0], HOSTILE[-1]])
def test_the_page_of_a_queue_has_its_charts_when_a_range_is_asked_for(mira: Browser, redis_client: redis.Redis, queue: str) -> None:
    Stored(redis_client).waiting("one", queue=queue)
    query = {"name": ref(queue), "registry": "queued"}

    plain = mira.get("/b/live/queue", query_string=query).get_data(as_text=True)
    drawn = mira.get("/b/live/queue", query_string={**query, "range": "24h"}).get_data(as_text=True)

    assert "Queued, last hour: " in plain
    assert ("uplot" in plain, "uplot" in drawn) == (False, True)
    assert drawn.count('data-behaviour="chart"') == 5
    assert "/insights.json?range=24h&amp;backend=live&amp;queue=" in drawn


def test_lists_have_a_sparkline_a_queue_and_the_overview_one_a_total(mira: Browser, redis_client: redis.Redis) -> None:
    for place, queue in enumerate((*HOSTILE, "mail", "unseen")):
        Stored(redis_client).waiting(f"j{place}", queue=queue)

    listed = mira.get("/queues?backend=live").get_data(as_text=True)
    overview = mira.get("/").get_data(as_text=True)

    assert listed.count("<title>Queued, last hour: ") == len(HOSTILE) + 1
    for label in ("Queued", "Finished a minute", "Failed a minute"):
        assert f"<title>{label}, last hour: " in overview.partition("attention")[0]


def test_a_program_gets_the_same_values(here: Site) -> None:
    found = here.stranger().get("/api/v1/insights?backend=live&range=7d", headers=here.token("viewer")).json

    assert (found["history"]["span"], found["history"]["charts"][0]["step_s"]) == ("7d", 1800)
    assert [chart["unit"] for chart in found["history"]["charts"]] == ["count", "seconds", "rate", "rate", "count", "count"]


def test_before_the_first_sample_it_is_said_once(tmp_path: Path, backend: Backend) -> None:
    page = site(tmp_path, {"live": backend}).sign_in("viewer").get("/insights").get_data(as_text=True)

    assert page.count("No history yet: the recorder has not sampled this backend.") == 1
