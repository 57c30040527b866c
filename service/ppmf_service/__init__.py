# SPDX-License-Identifier: GPL-3.0-or-later
"""The three roles as programs over a network: servers of two organisations, and their users.

The protocol stays in `ppmf_secure`. This package gives it sessions that two operators agree on,
users who upload over HTTPS, a link between the servers, storage that survives a crash, and the
erasure of what is not needed any more (chapter 8).

A user's side: `submission` (uploading, again and again), over `client` (requests, and what is
checked of a session) and `user_folder` (what is kept on the user's disk). `page` is the same in a
browser.

Both servers: `serve` keeps two processes alive, `api`, the HTTP interfaces, and `engine`, which
leads every session through its states over the `link`; `health` is how the first knows that the
second works. They meet in the storage: `storage` opens it, `database` is one file, in which
`sessions` (with `states`), `uploads` and `enrolment` have their tables; `erasure` is what goes
when, and `backup` what may be put back. `sessions` rests on `session_rows`, `agreement`, by which a
session comes about, and `trained_before`; `recent` is what was read last.
`measures` keeps what trainings took, for a `report` and its `report_page`. `config` reads a
server's settings, `keys` its signing key, `clock` the time, and `clock_watch` whether that can be
believed; `logs` tell what happened, and `health` whether the engine keeps ending.
"""
