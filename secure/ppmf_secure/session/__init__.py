# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parties agree on before a run, and what a run leaves in files.

`session` is the public agreement, from which all public numbers follow, and `cipher_suites` are the
names that it may contain; begin with these two. `set_up` is how it comes about, and its file with
both signatures; `proposals` are a proposal and an acceptance by themselves, and the receipt of V.
`enrolment` and `invitations` are what a user gets before any session: token, code, and the two
halves of an invitation. `transcript` records the messages that a party sent and received.
`checkpoint` is the format of what a server keeps for a later epoch, `kept_files` the tag that every
such file carries. `private_files` makes files that only their owner can read.
"""
