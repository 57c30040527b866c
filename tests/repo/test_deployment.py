# SPDX-License-Identifier: Apache-2.0
"""The files with which servers are deployed: they say what the guide says, and fit each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ppmf_service import clock_watch
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.server import monitoring_app
from ppmf_service.clock import SettableClock
from ppmf_service.config import read_config
from ppmf_service.database import Database
from ppmf_service.measures import Measures
from ppmf_spec.roles import CSP, RECSYS
from tests.support.locks import LOCKS, entries, extra, group, project
from tools.packages import ROOT

DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ROLES = (RECSYS, CSP)


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, comments left out and lines joined."""
    lines = [line for line in CONTAINERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def last(name: str) -> str:
    return [rest for one, rest in instructions() if one == name][-1]


def test_the_image_runs_as_nobody_special_and_has_no_build_tools() -> None:
    found = instructions()
    known = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "LABEL", "USER", "VOLUME", "EXPOSE",
             "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}  # fmt: skip
    assert {name for name, _ in found} <= known
    assert last("USER") == "10001:10001"
    after = found[max(at for at, (name, _) in enumerate(found) if name == "FROM") :]
    assert [rest for name, rest in after if name == "COPY"] == ["--from=build /opt/ppmf /opt/ppmf"]
    assert not any("pip install" in rest for _, rest in after)
    assert "--without-pip" in CONTAINERFILE
    assert CONTAINERFILE.count("--require-hashes") == CONTAINERFILE.count(" -r requirements.lock")
    base = last("ARG").removeprefix("BASE=docker.io/library/")
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    assert base.split(":")[1].split("-")[0] in str(project()["project"]["classifiers"])


def needed(names: list[Requirement]) -> set[str]:
    """The packages that are installed here and that these, in turn, need."""
    found: set[str] = set()
    due = [(one.name, frozenset(one.extras)) for one in names]
    while due:
        name, extras = due.pop()
        name = canonicalize_name(name)
        if name in found:
            continue
        found.add(name)
        for text in metadata.requires(name) or ():
            one = Requirement(text)
            envs = [{"extra": each} for each in (*extras, "")]
            if one.marker is None or any(map(one.marker.evaluate, envs)):
                due.append((one.name, frozenset(one.extras)))
    return found


def test_what_the_image_leaves_out_is_what_no_server_needs() -> None:
    (text,) = re.findall(r"uninstall --yes(.*?)&&", CONTAINERFILE.replace("\\\n", " "), re.DOTALL)
    left_out = set(text.split())
    base = [Requirement(one) for one in project()["project"]["dependencies"]]
    used = needed([*base, *extra("serve"), *extra("cluster")])
    assert used & left_out == set()
    assert {canonicalize_name(one.name) for one in group("build")} <= left_out
    installed = {
        canonicalize_name(one.name)
        for one in entries(LOCKS[0])
        if one.marker is None or one.marker.evaluate()
    }
    assert installed - used == left_out


def test_all_that_the_build_reads_is_let_into_it() -> None:
    allowed = {
        line[1:]
        for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert all((ROOT / name).exists() for name in allowed)
    tops = set(project()["tool"]["hatch"]["build"]["dev-mode-dirs"])
    assert tops | {"pyproject.toml", "requirements.lock", "README.md", "LICENSES"} == allowed


@pytest.mark.parametrize("role", ROLES)
def test_a_container_has_the_paths_and_ports_of_its_configuration(role: str) -> None:
    service = COMPOSE["services"][role]
    config = read_config(DEPLOY / f"{role}-container.toml")
    assert config.role == role
    assert service["command"][:2] == ["serve", role]
    assert service["read_only"] is True
    assert service["user"] == last("USER")
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    mounts = dict(one.rsplit(":", 2)[-2:][0:2] if one.endswith(":ro") else (one.split(":")[1], "rw")
                  for one in service["volumes"])  # fmt: skip
    assert mounts[service["command"][3]] == "ro"
    assert mounts[str(config.link.peer_certificate)] == "ro"
    assert str(config.folder.parent) in mounts
    assert last("VOLUME") == str(config.folder.parent)
    secrets = {f"/run/secrets/{one}" for one in service["secrets"]}
    assert {str(config.signing_key), str(config.api.certificate), str(config.api.key)} == secrets
    assert set(service["secrets"]) == set(COMPOSE["secrets"])
    inside = {int(one.split(":")[1]) for one in service["ports"]}
    assert inside == {config.api.port} | ({config.link.port} if role == CSP else set())
    assert config.monitoring.host == "127.0.0.1", "nobody outside the container reaches it"
    assert f"127.0.0.1:{config.monitoring.port}/readyz" in last("HEALTHCHECK")


@pytest.mark.parametrize("name", ["{}.toml", "{}-container.toml"])
def test_the_two_configurations_are_of_one_pair(name: str) -> None:
    recsys, csp = (read_config(DEPLOY / name.format(role)) for role in ROLES)
    assert recsys.link.peer_url == csp.api.public_url
    assert csp.link.peer_url == recsys.api.public_url
    assert recsys.link.port == csp.link.port
    assert recsys.link.host in csp.api.public_url
    assert (recsys.api.proxy == "") is (recsys.api.certificate is not None)
    for text in (DEPLOY / name.format(role) for role in ROLES):
        assert set(tomllib.loads(text.read_text())) >= {"role", "folder", "signing_key"}


def test_the_proxies_hand_on_one_address_that_no_user_wrote() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text()
    assert "X-Forwarded-For $remote_addr;" in nginx
    assert "$proxy_add_x_forwarded_for" not in nginx
    assert 'Strict-Transport-Security "max-age=63072000" always' in nginx
    assert nginx.count("{") == nginx.count("}")
    caddy = (DEPLOY / "Caddyfile").read_text()
    assert "header_up X-Forwarded-For {remote_host}" in caddy
    assert 'Strict-Transport-Security "max-age=63072000"' in caddy
    port = read_config(DEPLOY / "recsys.toml").api.port
    assert f"127.0.0.1:{port}" in nginx
    assert f"127.0.0.1:{port}" in caddy


def test_every_alert_is_about_something_that_is_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    database = Database.open(tmp_path / "x" / "service.sqlite", SettableClock())
    Measures(database).link(up=True)
    clock_watch.confirm(database)
    monitoring_app(database, metrics)
    text = metrics.text().decode()
    database.close()
    told = set(re.findall(r"# TYPE (ppmf_[a-z_]+)", text))
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
    asked = {name for one in rules for name in re.findall(r"ppmf_[a-z_]+", one["expr"])}
    assert len(asked) >= 5
    assert asked <= told
    assert all(one["annotations"]["summary"] for one in rules)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "ppmf@.service").read_text()
    unit = tmp_path / "ppmf@recsys.service"
    unit.write_text(re.sub("ExecStart=[^ ]*", "ExecStart=/bin/true", text))
    found = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "ppmf@" not in found.stderr.replace("User=ppmf", ""), found.stderr


@pytest.mark.slow
def test_the_image_is_built_where_there_is_a_container_tool() -> None:
    tool = next((one for one in ("docker", "podman") if shutil.which(one)), None)
    if tool is None or subprocess.run([tool, "info"], capture_output=True).returncode:
        pytest.skip("no container tool that works")
    command = [tool, "build", "-q", "-f", "deploy/Containerfile", "."]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "pull" in built.stderr or "resolve" in built.stderr:
        pytest.skip("the base image is out of reach")
    assert built.returncode == 0, built.stderr[-2000:]
    image = built.stdout.strip()
    ran = subprocess.run([tool, "run", "--rm", "--read-only", image, "--version"],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.stdout.startswith("ppmf ")
