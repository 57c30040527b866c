# SPDX-License-Identifier: GPL-3.0-or-later
"""The link between the servers (chapter 8, "The link").

What the servers say, without what carries it, is in `ppmf_secure.link`: frames, streams, and
messages. `link` is what the rest of a server sees of the streams; `tls` and `connection` carry
frames over two TLS connections, `memory` carries them within one thread for tests and simulations.
`ends` are those of a driver over a stream, and `control_messages` are no part of an epoch.
"""
