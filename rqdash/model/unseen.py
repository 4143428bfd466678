"""Searches for what may not be seen: where a policy keeps descriptions to itself, no word of a search may tell anything of them."""

from __future__ import annotations

from rqdash.model import redaction
from rqdash.model.profile import Profile
from rqdash.model.search import Search


def takes_nothing(search: Search, profile: Profile) -> bool:
    """Whether no job of a backend can be taken: desc: is unknown of all, and so is whether a word to leave out is in a description."""
    return not redaction.of(profile).is_shown and any(term.field == "desc" or term.is_negated for term in search.of("desc", ""))


def note(search: Search, profile: Profile) -> str:
    """What a search does not tell of a backend whose descriptions may not be seen, a sentence; "" when it asks for none."""
    if redaction.of(profile).is_shown or not search.of("desc", ""):
        return ""
    if takes_nothing(search, profile):
        return f"The policy of {profile.name} hides its jobs' descriptions, so desc: and words to leave out take no job there."
    return f"The policy of {profile.name} hides its jobs' descriptions: words are looked for in ids and errors alone."
