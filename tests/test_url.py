"""Pasted URLs: what they mean, what is refused and why, and that no error repeats a password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.url import profile_from_url

STEADY = settings(derandomize=True, deadline=None)
TLS = Tls(enabled=True)


def problem(url: str) -> str:
    with pytest.raises(Invalid) as raised:
        profile_from_url(url)
    assert list(raised.value.problems) == ["url"]
    assert raised.value.__cause__ is None
    return raised.value.problems["url"]


@pytest.mark.parametrize(
    ("url", "profile", "secrets"),
    [
        ("redis://localhost", Profile("", host="localhost"), Secrets()),
        (" redis://10.0.0.1:6380/3\n", Profile("", host="10.0.0.1", port=6380, db=3), Secrets()),
        ("REDIS://Cache-1.prod.internal/", Profile("cache-1", host="Cache-1.prod.internal"), Secrets()),
        ("rediss://u:p@h:1/2", Profile("h", host="h", port=1, db=2, username="u", tls=TLS), Secrets("p")),
        ("redis://:p@ss@h", Profile("h", host="h"), Secrets("p@ss")),
        ("redis://:p%40%2F%3F%23s@h", Profile("h", host="h"), Secrets("p@/?#s")),
        ("redis://:a:b;c@h", Profile("h", host="h"), Secrets("a:b;c")),
        ("redis://u@h", Profile("h", host="h", username="u"), Secrets()),
        ("redis://u:@h", Profile("h", host="h", username="u"), Secrets()),
        ("redis://[::1]:6380/0", Profile("", host="::1", port=6380), Secrets()),
        ("redis://h?db=4", Profile("h", host="h", db=4), Secrets()),
        ("redis://h/4?db=4", Profile("h", host="h", db=4), Secrets()),
        (
            "redis://h?socket_timeout=500&socket_connect_timeout=0.5&protocol=3&client_name=x",
            Profile("h", host="h", worker_socket_timeout_s=500.0, connect_timeout_s=0.5),
            Secrets(),
        ),
        ("redis://h?socket_timeout=None", Profile("h", host="h"), Secrets()),
        (
            "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=False",
            Profile("h", host="h", tls=Tls(enabled=True, verify=False, check_hostname=False)),
            Secrets(),
        ),
        ("unix:///run/redis.sock", Profile("", Kind.UNIX, unix_path="/run/redis.sock"), Secrets()),
        ("unix://u:p@/run/a%20b.sock?db=2", Profile("", Kind.UNIX, unix_path="/run/a b.sock", db=2, username="u"), Secrets("p")),
    ],
)
def test_a_url_of_one_server_is_read(url: str, profile: Profile, secrets: Secrets) -> None:
    assert profile_from_url(url) == (profile, secrets)


TWO = (Node("h1", 26379), Node("h2", 26380))


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("redis+sentinel://u:p@h1,h2:26380/orders/2", Tls()),
        ("rediss+sentinel://u:p@h1,h2:26380/orders/2", TLS),
        ("redis-sentinel://u:p@h1,h2:26380/2?sentinelMasterId=orders", Tls()),
        ("redis-sentinel://u:p@h1,h2:26380/orders?db=2", Tls()),
        ("sentinel://u:p@h1,h2:26380/2?sentinel_master=orders", Tls()),
        ("sentinel://u:p@h1,h2:26380?service_name=orders&db=2", Tls()),
        ("sentinel://u:p@h1/orders/2;sentinel://h2:26380;", Tls()),
        ("sentinel://u:p@h1/orders/2; sentinel://u:p@h2:26380/orders/2", Tls()),
    ],
)
def test_the_ways_people_write_sentinels_mean_the_same(url: str, tls: Tls) -> None:
    expected = Profile("", Kind.SENTINEL, sentinels=TWO, master_name="orders", db=2, username="u", tls=tls, sentinel_tls=tls)

    found, secrets = profile_from_url(url)

    assert found == Profile(**{**_fields(expected), "name": found.name})
    assert secrets == Secrets("p")


def _fields(profile: Profile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in Profile.__dataclass_fields__}


def test_a_sentinel_profile_is_named_after_its_master() -> None:
    assert profile_from_url("sentinel://h/Orders_EU.main/0")[0].name == "orders-eu"


def test_sentinels_without_a_master_leave_it_to_the_form() -> None:
    found, _ = profile_from_url("sentinel://[::1],h2/0?sentinel_username=watch")

    assert (found.master_name, found.sentinels[0], found.sentinel_username) == ("", Node("::1", 26379), "watch")


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "Paste"),
        (";", "Paste"),
        ("h:6379", "scheme"),
        ("http://h", "scheme"),
        ("redis://", "missing"),
        ("redis://:6379", "missing"),
        ("redis://h/abc", "no number"),
        ("redis://h/1/2", "several parts"),
        ("redis://h/-1", "no number"),
        ("redis://h//1", "several parts"),
        ("redis://h:port", "no number"),
        ("redis://h:1:2", "colons"),
        ("redis://::1", "colons"),
        ("redis://[::1", "colons"),
        ("redis://[nope]:1", "IPv6"),
        ("redis://h1,h2", "several hosts"),
        ("redis://h1;redis://h2", "several URLs"),
        ("sentinel://h1/a;redis://h2", "several URLs"),
        ("sentinel://h1/a/0;sentinel://h2/b/0", "differ in their path"),
        ("sentinel://:a@h1;sentinel://:b@h2", "differ in their password"),
        ("sentinel://h1,/orders", "missing"),
        ("sentinel://h/a/b/c", "more than two parts"),
        ("sentinel://h/a/b", "no number"),
        ("sentinel://h/a/0?service_name=b", "named twice"),
        ("redis://h#0", "#"),
        ("redis://h?decode_responses=False", "RQ stores bytes"),
        ("redis://h?password=x", "logs"),
        ("redis://h?ssl_ca_certs=/etc/passwd", "Paste the authority's certificates"),
        ("rediss://h?ssl_certfile=/x", "Client certificates"),
        ("redis://h?ssl_cert_reqs=none", "rediss://"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "none, optional or required"),
        ("redis://h?ssl=true", "rediss://"),
        ("redis://h?host=x", "replace the host"),
        ("redis://h?foo=1", "Parameter 1"),
        ("redis://h?db=1&db=1", "twice"),
        ("redis://h/1?db=2", "different databases"),
        ("redis://h?db=x", "no number"),
        ("redis://h?socket_timeout=soon", "seconds"),
        ("redis://h?service_name=x", "Sentinels"),
        ("redis://u@h?username=v", "twice"),
        ("redis://%zz@h", "%25"),
        ("redis://:%ff@h", "UTF-8"),
        ("redis://:%00@h", "control"),
        ("unix://run/redis.sock", "three slashes"),
        ("redis://h\x00", "cannot be shown"),
        ("redis://" + "h" * 9000, "too long"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_with_a_reason(url: str, word: str) -> None:
    assert word in problem(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter22@h:port",
        "redis://:hunter22/x@h",
        "redis://:hunter22?x@h",
        "redis://:hunter22#x@h",
        "redis://u:hunter22@",
        "redis://:hunter22",
        "redis://:%zzhunter22@h",
        "redis://h?password=hunter22",
        "redis://h?password=a&hunter22",
        "hunter22@h:6379",
        "redis://h/hunter22",
        "sentinel://:hunter22@h1;sentinel://:other@h2",
        "redis://hunter22:6379:1",
    ],
)
def test_no_error_repeats_what_may_be_a_password(url: str) -> None:
    assert "hunter22" not in problem(url)


MARK = "Zq7x"
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PASSWORD = st.tuples(TEXT, TEXT).map(lambda parts: f"{parts[0]}{MARK}{parts[1]}")


@STEADY
@given(st.text(max_size=60) | st.from_regex(r"(rediss?|unix|redis\+sentinel|sentinel)://[\x20-\x7e]{0,60}", fullmatch=True))
def test_any_text_is_read_or_refused_as_invalid(url: str) -> None:
    try:
        profile_from_url(url)
    except Invalid as error:
        named = list(error.problems)
    else:
        named = ["url"]

    assert named == ["url"]


@STEADY
@given(
    PASSWORD,
    st.sampled_from(["redis://u:{}@h/0", "redis://:{}@h:x", "redis://{}", "redis://h/{}", "redis://h?a={}&{}", "{}", "sentinel://:{}@"]),
)
def test_a_password_pasted_raw_is_never_in_an_error(password: str, shape: str) -> None:
    said = ""

    try:
        profile_from_url(shape.format(password, password))
    except Invalid as error:
        said = error.message + str(error.problems)

    assert MARK not in said


@STEADY
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20),
    st.sampled_from(["redis", "rediss", "sentinel"]),
)
def test_an_escaped_password_is_read_as_it_was(password: str, scheme: str) -> None:
    _, secrets = profile_from_url(f"{scheme}://user:{quote(password, safe='')}@h/0")

    assert secrets.password == password
    assert repr(secrets) == "Secrets()"
