# SPDX-License-Identifier: Apache-2.0
"""`ppmf enrol`: tokens, codes and the two halves of invitations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote

import segno
import typer

from ppmf import console, options, outputs, serving
from ppmf.data import id_lists
from ppmf.data.columns import BY_USUAL_NAMES
from ppmf.data.columns import Role as Column
from ppmf.docstring_help import add
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import consent_key, make_pseudonym, token_digest
from ppmf_secure.session.invitations import (
    MOST_CHARACTERS,
    CspHalf,
    RecSysHalf,
    csp_halves,
    join,
    link,
    read_half,
    recsys_halves,
)
from ppmf_secure.session.private_files import private_folder
from ppmf_service import keys
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.files import read_text
from ppmf_spec.ids import canonical_order
from ppmf_spec.roles import CSP, RECSYS

MOST_USERS = 1_000_000
_LIST = "users.txt"
_LINKS = "links.csv"
_KEYS = "consent-keys.txt"

_ABOUT = """Invite users: each gets one half of an invitation from RecSys, one from the enroller.

\b
RecSys' operator makes a token for each user, and gives the list of pseudonyms to CSP's:
  ppmf enrol tokens --config recsys.toml --count 1000 --out halves
CSP's operator, or a third party for it, makes a code for each:
  ppmf enrol codes --config csp.toml --user-list users.txt --out halves
Each sends its halves to the users, who join them on their own devices. Who has both halves of
somebody can upload for them; so no one but the user may ever have both.
"""

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Out = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        help="A new folder for the halves of the invitations, which are secret.",
        show_default=False,
    ),
]
UserList = Annotated[
    Path | None,
    typer.Option(
        "--user-list",
        metavar="FILE",
        help="The pseudonyms of the users, one a line.",
        show_default=False,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Also for users who are enrolled already: the old half is worthless then, and what "
        "they sent with it in an open session is withdrawn or not admitted.",
    ),
]
Qr = Annotated[bool, typer.Option("--qr", help="Also draw the QR code of each link (SVG).")]


@app.callback(invoke_without_command=True, help=_ABOUT)
def enrol(context: typer.Context) -> None:
    """Show the help if no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def tokens(
    settings: serving.ConfigFile,
    out: Out,
    count: Annotated[
        int,
        typer.Option(
            "--count",
            metavar="N",
            help="Make so many new pseudonyms.",
            min=0,
            max=MOST_USERS,
            show_default=False,
        ),
    ] = 0,
    user_list: UserList = None,
    replace: Replace = False,
    qr: Qr = False,
) -> None:
    """Enrol users at RecSys: a token for each, of which RecSys keeps the SHA-256.

    A pseudonym says nothing of the user; who is behind it, nobody but you needs to know.

    Files:
      DIR/users.txt     the pseudonyms, for the enroller of CSP
      DIR/links.csv     pseudonym and link of each user, secret
      DIR/USER.txt      RecSys' half of one user, secret; with --qr also USER.svg

    Examples:
      ppmf enrol tokens --config recsys.toml --count 1000 --out halves
      ppmf enrol tokens --config recsys.toml --user-list lost.txt --replace --out again
    """
    with serving.storage(settings, RECSYS) as storage:
        coins = Coins.system()
        users = _users(count, user_list, lambda: make_pseudonym(coins))
        ours, known = storage.config, set(storage.members.enrolled("token"))
        _check_new(users, known, replace=replace)
        halves = recsys_halves(users, coins, ours.api.public_url, ours.link.peer_url)
        _write(out, halves, ours.api.public_url, qr=qr)
        storage.members.enrol_tokens({half.user: token_digest(half.token) for half in halves})
    console.say(f"enrolled {len(users)} users; {out} holds RecSys' halves of their invitations")
    console.note(f"give {out / _LIST} to CSP's operator, and nothing else of {out}")


def codes(
    out: Out,
    user_list: Annotated[
        Path,
        typer.Option(
            "--user-list",
            metavar="FILE",
            help="The pseudonyms of the users, one a line, as `ppmf enrol tokens` made them.",
            show_default=False,
        ),
    ],
    settings: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="CSP's configuration. [default: none, for a third party]",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="FILE",
            help="CSP's certificate (csp.pem), in the place of --config: for a third party.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(
            "--page",
            metavar="URL",
            help="The address of RecSys' page for users. [default: that of the configuration]",
            show_default=False,
        ),
    ] = None,
    replace: Replace = False,
    qr: Qr = False,
) -> None:
    """Enrol users at CSP: a consent code for each, of which CSP keeps the consent key.

    With --config, CSP's operator does it and CSP knows the keys at once. With --certificate, a
    third party does it, which CSP trusts, and DIR/consent-keys.txt goes to CSP (`ppmf enrol keys`).

    Files:
      DIR/links.csv          pseudonym and link of each user, secret
      DIR/USER.txt           the enroller's half of one user, secret; with --qr also USER.svg
      DIR/consent-keys.txt   with --certificate: for CSP, secret

    Examples:
      ppmf enrol codes --config csp.toml --user-list users.txt --out halves
      ppmf enrol codes --certificate csp.pem --page https://a.example --user-list U.txt --out halves
    """
    if (settings is None) == (certificate is None):
        raise typer.BadParameter("one of --config and --certificate is due")
    users = _users(0, user_list, str)
    coins = Coins.system()
    if certificate is not None:
        if page is None:
            raise typer.BadParameter("--certificate needs --page")
        point = keys.read_certificate(certificate)[1]
        halves = csp_halves(users, coins, keys.fingerprint(point))
        _write(out, halves, page, qr=qr)
        lines = (f"{quote(half.user, safe='')} {consent_key(half.code).hex()}" for half in halves)
        _write_lines(out / _KEYS, lines)
        console.say(f"made codes for {len(users)} users; give {out / _KEYS} to CSP's operator")
        return
    assert settings is not None
    with serving.storage(settings, CSP) as storage:
        ours = storage.config
        _check_new(users, set(storage.members.enrolled("consent")), replace=replace)
        key = keys.read_signing_key(ours.signing_key, ours.passphrase)
        halves = csp_halves(users, coins, keys.fingerprint(keys.public_point(key)))
        _write(out, halves, page or ours.link.peer_url, qr=qr)
        storage.members.enrol_consent_keys({half.user: consent_key(half.code) for half in halves})
    console.say(f"enrolled {len(users)} users; {out} holds CSP's halves of their invitations")


def import_keys(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="consent-keys.txt of a third party."),
    ],
    settings: serving.ConfigFile,
    replace: Replace = False,
) -> None:
    """Take in the consent keys that a third party made for CSP (`ppmf enrol codes --certificate`).

    Examples:
      ppmf enrol keys consent-keys.txt --config csp.toml
    """
    found = _consent_keys(file)
    with serving.storage(settings, CSP) as storage:
        _check_new(list(found), set(storage.members.enrolled("consent")), replace=replace)
        storage.members.enrol_consent_keys(found)
    console.say(f"enrolled {len(found)} users")


def listed(settings: serving.ConfigFile, as_json: console.Json = False) -> None:
    """List the pseudonyms of all who are enrolled at a server.

    Examples:
      ppmf enrol list --config recsys.toml
    """
    with serving.storage(settings) as storage:
        found = storage.members.all()
    if as_json:
        console.put_json("enrolled", {"users": [user for user, _ in found]})
        return
    for user, _ in found:
        console.say(user)


def remove(
    users: Annotated[
        list[str], typer.Argument(metavar="USER...", help="Pseudonyms.", show_default=False)
    ],
    settings: serving.ConfigFile,
) -> None:
    """Remove users from the enrolment of a server; what they sent to an open session goes too.

    Examples:
      ppmf enrol remove K7Q2M9XH4T0B --config recsys.toml
    """
    with serving.storage(settings) as storage:
        known = {user for user, _ in storage.members.all()}
        if unknown := len(set(users) - known):
            raise StateError(f"{unknown} of these users are not enrolled here")
        storage.members.remove(users)
    console.say(f"removed {len(set(users))} users")


def join_halves(
    first: Annotated[
        Path, typer.Argument(metavar="HALF", help="A half of an invitation.", show_default=False)
    ],
    second: Annotated[
        Path, typer.Argument(metavar="HALF", help="The other half.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="The file of the invitation.", show_default=False
        ),
    ],
) -> None:
    """Join the two halves of an invitation, as a user, on one's own device.

    Examples:
      ppmf enrol join from-recsys.txt from-csp.txt --out invitation.txt
    """
    for path in (first, second):
        options.refuse_half("HALF", str(path))
    outputs.check(out, (first, second))
    halves = []
    for path in (first, second):
        text = read_text(path)
        try:
            halves.append(read_half(text))
        except EncodingError as error:
            raise EncodingError(f"{path}: {error}") from None
    found = join(*halves)
    keys.write_private_file(out, found.text().encode())
    console.say(f"{out} is the invitation of {found.user}; keep it to yourself")


def _users(count: int, user_list: Path | None, make: Callable[[], str]) -> list[str]:
    """The users to enrol: those of a list, or so many new pseudonyms."""
    if (user_list is None) == (not count):
        raise typer.BadParameter("one of --count and --user-list is due")
    if user_list is not None:
        return list(id_lists.read(user_list, Column.USER, BY_USUAL_NAMES).ids)
    return list(canonical_order(make() for _ in range(count)))


def _check_new(users: Sequence[str], known: set[str], *, replace: bool) -> None:
    again = len(known.intersection(users))
    if again and not replace:
        raise StateError(
            f"{again} of these users are enrolled already; --replace makes their old half worthless"
        )


def _write(out: Path, halves: Sequence[RecSysHalf | CspHalf], page: str, *, qr: bool) -> None:
    """Write the halves to a new private folder. Raises StateError if it holds any already."""
    private_folder(out)
    if any(out.iterdir()):
        raise StateError(f"{out}: is not empty; halves belong in a folder of their own")
    names = [quote(half.user, safe="")[:200] for half in halves]
    if len({f"{name}.txt" for name in names} - {_LIST, _KEYS}) < len(names):
        raise StateError(f"{out}: the file of a user would have the name of another file")
    for name, half in zip(names, halves, strict=True):
        keys.write_private_file(out / f"{name}.txt", f"{half.text()}\n".encode())
        if qr:
            drawn = segno.make(link(page, half), error="m")
            keys.write_private_file(out / f"{name}.svg", drawn.svg_inline(scale=4).encode())
    rows = (f"{quote(half.user, safe='')},{link(page, half)}" for half in halves)
    _write_lines(out / _LINKS, ("user,link", *rows))
    if isinstance(halves[0], RecSysHalf):
        _write_lines(out / _LIST, (half.user for half in halves))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    keys.write_private_file(path, "".join(f"{line}\n" for line in lines).encode())


def _consent_keys(path: Path) -> dict[str, bytes]:
    """The consent keys of a file. Raises EncodingError, which names the line."""
    found: dict[str, bytes] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        user, blank, value = line.partition(" ")
        try:
            if not blank or len(line) > MOST_CHARACTERS or len(value) != 64:
                raise ValueError
            found[unquote(user, errors="strict")] = bytes.fromhex(value)
        except ValueError:
            raise EncodingError(f"{path}:{number}: not a pseudonym and a consent key") from None
    return found


for _name, _command in (
    ("tokens", tokens),
    ("codes", codes),
    ("keys", import_keys),
    ("list", listed),
    ("remove", remove),
    ("join", join_halves),
):
    add(app, _name, _command)
