"""What stands in headers for a subject or a date that nobody knows or that was taken out."""

import re
from datetime import date, datetime

# The first sub-field of an EDF+ patient field is `X` when it was anonymised.
_ANONYMOUS = re.compile(
    r"[xX_\s.\-0?]*|-1|n/?a|nan|null|none|unknown|un-?named|no[ _]?name|anon.*|de-?ident.*|redacted|removed|default"
    r"|patient|subject",
    re.IGNORECASE,
)
# EDF has this day for a date that was taken out, MNE-Python the first moment of 2000.
_UNKNOWN_DAY, _UNKNOWN_START = date(1985, 1, 1), datetime(2000, 1, 1)


def known_subject(written: object) -> str | None:
    """Return the subject that a header names, `None` where it names nobody."""
    subject = str(written or "").strip()
    return None if _ANONYMOUS.fullmatch(subject) else subject


def known_start(start: datetime | None) -> datetime | None:
    """Return when a recording began, `None` where the date is one that stands for a date taken out."""
    if start is None or start.date() == _UNKNOWN_DAY or start.replace(tzinfo=None) == _UNKNOWN_START:
        return None
    return start
