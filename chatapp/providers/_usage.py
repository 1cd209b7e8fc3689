"""The one place where an adapter's arithmetic becomes `Usage`: numbers that cannot be true become none."""

from chatapp.vocab.usage import Usage


def disjoint(**buckets: int | None) -> Usage | None:
    """`Usage` of these buckets; None if one is negative or no whole number, or if nothing was reported at all."""
    known = [count for count in buckets.values() if count is not None]
    if not known or any(type(count) is not int for count in known):
        return None
    try:
        return Usage(**buckets)
    except ValueError:
        return None
