"""Pictures and films: thumbnails, transcoding, publishing, cleaning up."""

from __future__ import annotations

import base64
import random
import struct

from rqdash.demo.tasks.pace import spend, steps

HEADER = struct.Struct(">8sII")


class UnsupportedCodec(Exception):
    """The encoder does not know the film's format."""


def make_thumbnail(path: str, *, width: int, header: str) -> dict[str, object]:
    """Scales a picture; header is the start of the file, in base64."""
    spend(random.uniform(0.05, 0.7))
    full_width, full_height = _size(base64.b64decode(header))
    return {"path": path, "width": width, "height": round(full_height * width / full_width)}


def _size(header: bytes) -> tuple[int, int]:
    _, width, height = HEADER.unpack(header)
    return width, height


def transcode(video: str, profile: str, *, seconds: int) -> dict[str, object]:
    """Encodes a film, with its progress in meta; a long one runs into its time limit."""
    _check_profile(profile)
    frames = sum(25 for _ in steps(seconds, each_s=1.0))
    return {"video": video, "profile": profile, "frames": frames}


def _check_profile(profile: str) -> None:
    if profile.startswith("theora"):
        raise UnsupportedCodec(f"no encoder for profile {profile!r}")


def extract_audio(video: str, language: str) -> str:
    """The sound track of a film."""
    spend(random.uniform(0.5, 4))
    return f"{video.rsplit('.', 1)[0]}.{language}.opus"


def publish(video: str, channels: list[str]) -> list[str]:
    """Announces a film when everything it waits for is done."""
    spend(0.2)
    return [f"{channel}/{video}" for channel in channels]


def purge_cache(paths: list[str], region: str) -> int:
    """Asks the edge servers of a region to forget files; one of them is often busy."""
    spend(random.uniform(0.05, 0.3))
    if random.random() < 0.35:
        raise TimeoutError(f"edge server of {region} did not answer within 5 s")
    return len(paths)


def delete_orphans(bucket: str, *, dry_run: bool = True) -> dict[str, object]:
    """Looks for files that no record names."""
    found = [random.randint(0, 40) for _ in steps(6, each_s=1.5)]
    return {"bucket": bucket, "found": sum(found), "deleted": 0 if dry_run else sum(found)}
