"""The parameters a pasted URL may have, what each means for a profile, and why the others are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from rqdash.model.profile import Kind, Profile, Tls

Apply = Callable[[Profile, str], Profile]

YES = ("1", "true", "yes", "t", "y", "on")
NO = ("0", "false", "no", "f", "n", "off")
IN_QUERY = "A password in the query ends up in logs. Write it before the @, as in redis://user:password@host, or fill the form's field."
NO_FILES = "Files are not read from here. Paste the authority's certificates (PEM) into the form's field."
NO_CLIENT_CERTIFICATE = "Client certificates are not read from files. Paste certificate and key (PEM) into the form's fields."
NO_DECODING = (
    "RQ stores bytes (compressed pickles) that are no text, and does not support decode_responses: with it, reading a job fails. Take it "
    "out here, and in the settings of the workers."
)


class Refusal(Exception):
    """Why a URL cannot be read and what to do; holds no part of it but names of parameters that are in this module."""


def option(profile: Profile, name: str, *, value: str) -> Profile:
    """The profile with one parameter of OPTIONS applied. Raises Refusal."""
    return OPTIONS[name](profile, value)


def _refused(why: str) -> Apply:
    def refuse(profile: Profile, value: str) -> Profile:  # noqa: ARG001  any value is refused
        raise Refusal(why)

    return refuse


def _ignored(profile: Profile, value: str) -> Profile:  # noqa: ARG001  rqdash decides this by itself
    return profile


def _db(profile: Profile, value: str) -> Profile:
    if not re.fullmatch(r"[0-9]{1,10}", value):
        raise Refusal("db is no number. RQ uses 0 unless told otherwise.")
    if profile.db not in (0, int(value)):
        raise Refusal("The path and db name different databases. Keep one.")
    return replace(profile, db=int(value))


def _master(profile: Profile, value: str) -> Profile:
    if profile.kind is not Kind.SENTINEL:
        raise Refusal("A master's name belongs to Sentinels. Begin with redis+sentinel://.")
    if profile.master_name not in ("", value):
        raise Refusal("The master is named twice, differently. Keep one name.")
    return replace(profile, master_name=value)


def _username(profile: Profile, value: str) -> Profile:
    if profile.username not in ("", value):
        raise Refusal("The user is named twice, differently. Keep the one before the @.")
    return replace(profile, username=value)


def _sentinel_username(profile: Profile, value: str) -> Profile:
    if profile.kind is not Kind.SENTINEL:
        raise Refusal("sentinel_username belongs to Sentinels. Begin with redis+sentinel://.")
    return replace(profile, sentinel_username=value)


def _check(profile: Profile, value: str) -> Profile:
    if value.lower() not in ("none", "optional", "required"):
        raise Refusal("ssl_cert_reqs is none, optional or required.")
    # A client that accepts no certificate but checks one that is there is, for a server, one that checks.
    return _with_tls(profile, "ssl_cert_reqs", lambda tls: replace(tls, verify=value.lower() != "none"))


def _check_hostname(profile: Profile, value: str) -> Profile:
    if value.lower() not in YES + NO:
        raise Refusal("ssl_check_hostname is true or false.")
    return _with_tls(profile, "ssl_check_hostname", lambda tls: replace(tls, check_hostname=value.lower() in YES))


def _with_tls(profile: Profile, name: str, change: Callable[[Tls], Tls]) -> Profile:
    if not profile.tls.enabled:
        raise Refusal(f"{name} is about TLS, which this scheme does not use. Begin with rediss:// (two s) instead.")
    sentinel_tls = change(profile.sentinel_tls) if profile.sentinel_tls.enabled else profile.sentinel_tls
    return replace(profile, tls=change(profile.tls), sentinel_tls=sentinel_tls)


def _worker_timeout(profile: Profile, value: str) -> Profile:
    if value.lower() in ("", "none"):
        return replace(profile, worker_socket_timeout_s=None)
    return replace(profile, worker_socket_timeout_s=_seconds("socket_timeout", value))


def _connect_timeout(profile: Profile, value: str) -> Profile:
    return profile if value.lower() in ("", "none") else replace(profile, connect_timeout_s=_seconds("socket_connect_timeout", value))


def _seconds(name: str, value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value):
        raise Refusal(f"{name} is no number of seconds.")
    return float(value)


OPTIONS: dict[str, Apply] = {
    "db": _db,
    "sentinel_master": _master,
    "sentinelMasterId": _master,
    "service_name": _master,
    "master_name": _master,
    "username": _username,
    "sentinel_username": _sentinel_username,
    "ssl_cert_reqs": _check,
    "ssl_check_hostname": _check_hostname,
    "socket_timeout": _worker_timeout,
    "socket_connect_timeout": _connect_timeout,
    "protocol": _ignored,
    "client_name": _ignored,
    "health_check_interval": _ignored,
    "max_connections": _ignored,
    "retry_on_timeout": _ignored,
    "socket_keepalive": _ignored,
    "decode_responses": _refused(NO_DECODING),
    "password": _refused(IN_QUERY),
    "sentinel_password": _refused(IN_QUERY),
    "host": _refused("host in the query would replace the host before it. Keep the one you mean, after the //."),
    "port": _refused("port in the query would replace the port before it. Keep the one you mean, after the host."),
    "path": _refused("path in the query would replace the socket before it. Keep the one you mean, after unix://."),
    "ssl": _refused("TLS is switched on by the scheme: begin with rediss:// (two s) instead."),
    "ssl_ca_certs": _refused(NO_FILES),
    "ssl_ca_path": _refused(NO_FILES),
    "ssl_ca_data": _refused(NO_FILES),
    "ssl_certfile": _refused(NO_CLIENT_CERTIFICATE),
    "ssl_keyfile": _refused(NO_CLIENT_CERTIFICATE),
    "ssl_password": _refused(NO_CLIENT_CERTIFICATE),
}
"""By the names redis-py, Lettuce and others use; anything else is refused without repeating it."""
