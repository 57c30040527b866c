# SPDX-License-Identifier: Apache-2.0
"""MovieLens-100K, fetched through the package index and kept in the user's cache.

The wheel of recbole 1.2.1 contains the data set as an example. pip downloads that wheel, because
pip knows the machine's index, mirror and proxy; the files are read out of the zip, and recbole is
never installed. Nothing is kept unless the SHA-256 of the wheel, and that of each file in it, is
the one written here.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ppmf_spec.errors import EncodingError, PeerError
from ppmf_spec.files import write_atomically

TERMS = (
    "MovieLens-100K is the work of GroupLens, University of Minnesota. It is for research: do not "
    "redistribute it, or use it commercially, without their permission; claim no endorsement; and "
    "cite F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, "
    "ACM TiiS 5(4), 2015, doi:10.1145/2827872."
)


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned download: a requirement for pip, the hash of its wheel, and the members to keep.

    `members` gives for each path in the wheel its SHA-256; it is kept under its own file name.
    """

    requirement: str
    wheel_sha256: str
    members: dict[str, str]


MOVIELENS_100K = Pin(
    requirement="recbole==1.2.1",
    wheel_sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    members={
        "recbole/dataset_example/ml-100k/ml-100k.inter": (
            "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
        ),
        "recbole/dataset_example/ml-100k/ml-100k.item": (
            "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"
        ),
    },
)

Download = Callable[[str, Path], None]


def cache_folder() -> Path:
    """The folder of fetched files: the platform's cache folder for ppmf."""
    return platformdirs.user_cache_path("ppmf") / "ml-100k"


def is_cached(folder: Path, pin: Pin) -> bool:
    """Whether `folder` holds every member of `pin`, undamaged."""
    return all(
        (folder / Path(member).name).is_file() and _sha256(folder / Path(member).name) == sha256
        for member, sha256 in pin.members.items()
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pip_download(requirement: str, folder: Path) -> None:
    """Put the wheel of `requirement` into `folder`, through the index configured for pip.

    Raises PeerError, with pip's own last error, if pip is missing, fails, or takes two minutes.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    try:
        # In an empty folder, so that no pip.py of the user's is taken for pip.
        run = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"package index: no {requirement} within two minutes") from error
    if run.returncode:
        said = run.stderr.strip().splitlines() or ["pip failed without a word"]
        errors = [line for line in said if line.startswith("ERROR: ")] or said
        # An index address may carry a password; pip hides it, and so does this, to be sure.
        reason = re.sub(r"://[^/@\s]+@", "://", errors[-1].removeprefix("ERROR: "))
        raise PeerError(f"package index: pip could not download {requirement}: {reason}")


def fetch(folder: Path, pin: Pin, download: Download = pip_download) -> None:
    """Download the wheel of `pin`, check it, and keep its members in `folder`.

    Raises PeerError if the download fails (as `download` says), EncodingError if what came is not
    what is pinned; then nothing is kept.
    """
    with tempfile.TemporaryDirectory(prefix="ppmf-") as temporary:
        download(pin.requirement, Path(temporary))
        wheels = list(Path(temporary).glob("*.whl"))
        if len(wheels) != 1:
            raise EncodingError(f"{pin.requirement}: {len(wheels)} wheels came, expected one")
        if _sha256(wheels[0]) != pin.wheel_sha256:
            raise EncodingError(f"{wheels[0].name}: not the pinned wheel (its SHA-256 differs)")
        contents: dict[str, bytes] = {}
        with zipfile.ZipFile(wheels[0]) as archive:
            for member, sha256 in pin.members.items():
                contents[Path(member).name] = archive.read(member)
                if hashlib.sha256(contents[Path(member).name]).hexdigest() != sha256:
                    raise EncodingError(f"{member}: not the pinned file (its SHA-256 differs)")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)
