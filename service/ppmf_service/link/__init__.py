# SPDX-License-Identifier: GPL-3.0-or-later
"""The link between the servers (chapter 8, "The link").

`frames` is the format of what travels, `streams` the sans-IO state of the link at one server: what
it has sent, received and acknowledged, and `link` what the rest of a server sees of that. `tls` and
`connection` carry frames over two TLS connections, `memory` carries them within one thread for
tests and simulations. `messages` cuts a stream into messages, `ends` are those of a driver over it,
and `control` is what servers say to each other outside of any epoch.
"""
