# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers' link says, without what carries it (chapter 8, "The link").

`frames` is the format of what travels, `streams` the state of the link at one server: what it has
sent, received and acknowledged; `messages` cuts a stream into messages, and `control` is what
servers say to each other outside of any epoch.
Nothing in here has a socket, a thread or a clock; `ppmf_service.link` does.
"""
