# SPDX-License-Identifier: GPL-3.0-or-later
"""The three roles as programs over a network: servers of two organisations, and their users.

The protocol stays in `ppmf_secure`. This package gives it sessions that two operators agree on,
users who upload over HTTPS, a link between the servers, storage that survives a crash, and the
erasure of what is not needed any more (chapter 8).

A server: `serve` supervises the `api`, which users reach, and the `engine`, which walks sessions
through their `states` over the `link` and runs each epoch (`training`). Both meet in the `storage`
alone: a `database` with `sessions`, `uploads` and `enrolment`, and `erasure` of what is due.
`config` and `keys` are what the operator gives; `clock` is the time, and `logs` what is said.

A user: `submission` (uploading, again and again) over `client` (requests, and what is checked of a
session) and `user_folder` (what is kept on the user's disk).
"""
