"""The tables of the pages, and the ratios that decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.cases import Case
from bench.pages import DELAY_MS, FLOOR, READ, VALUES, Measured, Run
from bench.tables import Cell, Table, Verdict
from bench.timing import Timing, brief

OF_FLOOR = 2.0
TIMES_FASTER = 5.0
DELAYED_MS = 60.0
OURS_JSON, OURS_HTML = "rqdash JSON", "rqdash HTML"
RIVALS_JSON = ("rq-dashboard JSON", "rq-dashboard-fast JSON")

Which = Callable[[Measured], Timing | None]


def tables(run: Run) -> list[Table]:
    return [_pages(run), _costs(run), _floors(run), *([_rivals(run), _rivals_pages(run)] if run.pace.rivals else []), _afar(run)]


def _pages(run: Run) -> Table:
    """Every page of every reader."""
    head = ("page", "read by", "rows", "kB", "1 client", f"{run.pace.clients} clients", "delayed, 1", f"delayed, {run.pace.clients}", "")
    rows = [_line(run.measured[reader, case.name]) for case in run.cases for reader in _readers(run)]
    note = (
        f"Median / 95th percentile, ms. Delayed: {DELAY_MS} ms more to the data server and back, by a proxy of ours through which PING "
        f"takes {brief(run.delay_ms)} ms. The floor, the queries and RQ's API have no web server; several clients of the first two are "
        "threads of one process. The rivals' HTML of rq-dashboard holds no data: its script fetches the JSON."
    )
    failed = [page for reader in (OURS_JSON, OURS_HTML) for case in run.cases if (page := run.measured[reader, case.name]).problem]
    figure = "; ".join(f"{page.case.name} as {page.reader}: {page.problem}" for page in failed) or "none"
    return Table("Pages", head, rows, note, (Verdict("pages of ours that did not answer", figure, "none", not failed),))


def _readers(run: Run) -> list[str]:
    return list(dict.fromkeys(reader for reader, _ in run.measured))


def _line(page: Measured) -> tuple[Cell, ...]:
    figures = (page.one, page.many, page.delayed_one, page.delayed_many)
    size = round(page.body_bytes / 1000, 1) if page.body_bytes is not None else None
    return (page.case.name, page.reader, page.rows, size, *(timing.text if timing else None for timing in figures), page.problem)


def _costs(run: Run) -> Table:
    """What a page asks of the data server, and what others feel."""
    head = ("page", "read by", "commands", "round trips", "PING p99, ms", "longest PING, ms", "calls over 5 ms", "longest call, ms")
    found = [run.measured[reader, case.name] for case in run.cases for reader in _readers(run)]
    rows = [(page.case.name, page.reader, page.commands, page.turns, *_felt(page)) for page in found if page.commands is not None]
    note = (
        "Commands sent and round trips of one page on warm connections, counted between client and server. PING is another client's, "
        f"once a millisecond, and the calls are the server's SLOWLOG, both while {run.pace.clients} clients read the page. Two cores run "
        "everything, so either is late when another process has the core."
    )
    return Table("What a page asks of the server", head, rows, note)


def _felt(page: Measured) -> tuple[Cell, ...]:
    if page.harm is None:
        return None, None, None, None
    harm = page.harm
    return round(harm.ping_p99_ms, 2), round(harm.ping_longest_ms, 1), harm.slow_calls, round(harm.longest_call_ms, 1)


def _floors(run: Run) -> Table:
    """Our data part against the floor, both waiting for replies."""
    head = ("page", "floor, ms", "our replies, ms", "times", "with values, ms", "times", "delayed: times")
    rows, verdicts = [], []
    for case in run.cases:
        floor, replies, values = (run.measured[reader, case.name] for reader in (FLOOR, READ, VALUES))
        ratio = _ratio(replies.one, floor.one)
        cells = (*(brief(_median(page.one)) for page in (floor, replies)), ratio, brief(_median(values.one)), _ratio(values.one, floor.one))
        rows.append((case.name, *cells, _ratio(replies.delayed_one, floor.delayed_one)))
        verdicts.append(Verdict(f"{case.name}, data part", f"{ratio:.1f}x of the floor", f"{OF_FLOOR:.0f}x", ratio <= OF_FLOOR))
    note = (
        "The floor is one script that returns the same fields (bench/floor.py); our replies are what our queries wait for to have them, "
        "values the same with every field read, checked and typed. Medians, one client."
    )
    return Table("The data part and the floor", head, rows, note, verdicts)


def _rivals(run: Run) -> Table:
    """Our JSON and our pages against the best rival's JSON at the same rows."""
    head = ("page", "clients", "our JSON, ms", "best rival's JSON, ms", "whose", "times faster")
    rows, verdicts = [], []
    for case in run.cases:
        for clients, which in ((1, _one), (run.pace.clients, _many)):
            best = min(_same_rows(run, case, which), key=lambda found: found[1], default=None)
            row, faster = _against(best, which(run.measured[OURS_JSON, case.name]))
            rows.append((case.name, clients, *row))
            if best is not None and faster is not None:
                least = TIMES_FASTER if case.must_win else 1.0
                verdicts.append(_verdict(f"{case.name}, JSON", clients, faster, least=least, whose=best[0]))
    return Table("Our JSON and the best rival's", head, rows, "Medians. Only rivals that give the same rows count.", verdicts)


def _rivals_pages(run: Run) -> Table:
    """Our pages against the best rival's, as people have them."""
    head = ("page", "clients", "our page, ms", "best rival's page, ms", "whose", "times faster")
    rows, verdicts = [], []
    for case in run.cases:
        for clients, which in ((1, _one), (run.pace.clients, _many)):
            best = min(_whole_pages(run, case, which), key=lambda found: found[1], default=None)
            row, faster = _against(best, which(run.measured[OURS_HTML, case.name]))
            rows.append((case.name, clients, *row))
            if best is not None and faster is not None:
                verdicts.append(_verdict(f"{case.name}, HTML", clients, faster, least=1.0, whose=best[0]))
    note = (
        "Medians, at the same rows. A page of rq-dashboard holds no data: what counts is that page and the JSON that its script then "
        "fetches, one after the other, without what the browser makes of it."
    )
    return Table("Our pages and the best rival's", head, rows, note, verdicts)


def _against(best: tuple[str, float] | None, ours: Timing | None) -> tuple[tuple[Cell, ...], float | None]:
    """The cells of a row, and how many times as fast as the best ours is; None where either is missing."""
    if best is None or ours is None:
        return (_shown(ours), None, "no rival gives these rows", None), None
    faster = best[1] / ours.median_ms
    return (_shown(ours), brief(best[1]), best[0], round(faster, 1)), faster


def _verdict(what: str, clients: int, faster: float, *, least: float, whose: str) -> Verdict:
    return Verdict(
        f"{what}, {clients} client{'s' if clients > 1 else ''}", f"{faster:.1f}x as fast as {whose}", f"{least:.0f}x", faster >= least
    )


def _same_rows(run: Run, case: Case, which: Which) -> Iterator[tuple[str, float]]:
    ours = run.measured[OURS_JSON, case.name]
    for reader in RIVALS_JSON:
        page = run.measured[reader, case.name]
        timing = which(page)
        if timing is not None and page.rows == ours.rows:
            yield reader.removesuffix(" JSON"), timing.median_ms


def _whole_pages(run: Run, case: Case, which: Which) -> Iterator[tuple[str, float]]:
    """What a person waits for: the page of rq-dashboard-fast, that of rq-dashboard with its data."""
    same = dict(_same_rows(run, case, which))
    shell, fast = (which(run.measured[f"{reader} HTML", case.name]) for reader in ("rq-dashboard", "rq-dashboard-fast"))
    if shell is not None and "rq-dashboard" in same:
        yield "rq-dashboard", shell.median_ms + same["rq-dashboard"]
    if fast is not None and ("rq-dashboard-fast" in same or case.kind == "job"):
        yield "rq-dashboard-fast", fast.median_ms


def _afar(run: Run) -> Table:
    """Our pages with the delay."""
    found = [run.measured[reader, case.name] for case in run.cases for reader in (OURS_JSON, OURS_HTML)]
    rows = [(page.case.name, page.reader, page.turns, _shown(page.delayed_one), _shown(page.delayed_many)) for page in found]
    slowest = max(found, key=lambda page: _median(page.delayed_one))
    what = f"the slowest page with the delay ({slowest.case.name}, {slowest.reader.removeprefix('rqdash ')})"
    figure = _median(slowest.delayed_one)
    verdict = Verdict(what, f"{brief(figure)} ms", f"{DELAYED_MS:.0f} ms", figure <= DELAYED_MS)
    head = ("page", "as", "round trips", "1 client, ms", f"{run.pace.clients} clients, ms")
    return Table(f"Our pages {DELAY_MS} ms away from their data", head, rows, "Medians.", (verdict,))


def _one(page: Measured) -> Timing | None:
    return page.one


def _many(page: Measured) -> Timing | None:
    return page.many


def _median(timing: Timing | None) -> float:
    return timing.median_ms if timing else float("inf")


def _shown(timing: Timing | None) -> str:
    return brief(timing.median_ms) if timing else ""


def _ratio(one: Timing | None, other: Timing | None) -> float:
    return round(_median(one) / _median(other), 2)
