from __future__ import annotations

import re

from hindscale.core import errors
from hindscale.core.errors import HindscaleError


def test_the_picture_shows_every_error_and_where_it_hangs() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    defined = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, HindscaleError)]
    assert sorted([*drawn, "HindscaleError"]) == sorted(cls.__name__ for cls in defined)
