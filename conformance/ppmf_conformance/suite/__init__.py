# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: any implementation, in any language, held against the specification.

`cases` reads the vectors; `target` runs an implementation's adapter as a process and speaks the
plug-in `protocol` with it; `runner` asks it every case it declares, `judge` says what is right,
`reports` write it down. Chapter 7 of the specification is the contract between them.
"""
