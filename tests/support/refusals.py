# SPDX-License-Identifier: Apache-2.0
"""What a call refuses, in its own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def refusal_of(call: Callable[[], object], error: type[Exception]) -> str:
    """The message of the exception that the call raises, which is of exactly that class."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)
