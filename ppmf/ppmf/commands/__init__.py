# SPDX-License-Identifier: Apache-2.0
"""The sub-commands of `ppmf`, a module each; `ppmf.main` registers them.

A module holds the function that becomes the command, whose docstring is the command's help, and
what belongs to that command alone. In the order of a user's work: `params` (check), `train`,
`resume`, `audit`, `oracle`, `evaluate`, `recommend` (and similar), `estimate`, `bench`,
`conformance` (with `play`, `transcript` and `server_checks`, which are commands of it). Begin with
`train`. `ppmf demo` and `ppmf up` stand in `ppmf.demo`.

Who takes part in a training of two organisations uses `submit`, and then `recommend` without
options, which `kept_session` finds the profiles for. A server's operator uses `serve`, `session`
(with `session_folder`, a server's own files, and `session_shown`, what is shown of sessions),
`enrol`, `status`, `report` and `backup` (with restore).
"""
