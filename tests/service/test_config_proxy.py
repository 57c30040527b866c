# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of the users' interface, in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf_service.config import example, read_config
from ppmf_spec.errors import ParametersError
from ppmf_spec.roles import RECSYS


def written(folder: Path, **lines: str) -> Path:
    """The example, with other lines of `api`."""
    text = example(RECSYS)
    for key, value in lines.items():
        start = text.index(f'# {key} = "') if f'# {key} = "' in text else text.index(f'{key} = "')
        end = text.index("\n", start)
        text = f'{text[:start]}{key} = "{value}"{text[end:]}'
    path = folder / "recsys.toml"
    path.write_text(text)
    return path


def test_a_proxy_is_an_address_and_lets_others_reach_plain_http(tmp_path: Path) -> None:
    assert read_config(written(tmp_path)).api.proxy == ""
    found = read_config(written(tmp_path, proxy="10.0.0.1", address="0.0.0.0:8443")).api
    assert (found.proxy, found.host) == ("10.0.0.1", "0.0.0.0")
    with pytest.raises(ParametersError, match="api.proxy: an IP address is due"):
        read_config(written(tmp_path, proxy="proxy.example"))
    with pytest.raises(ParametersError, match="without a certificate"):
        read_config(written(tmp_path, address="0.0.0.0:8443"))
