# SPDX-License-Identifier: Apache-2.0
"""Hostile inputs in great numbers: `make fuzz` sends mutated requests to the users' interface.

`requests` makes them of requests that are right, and `interface` says what has to hold after each;
`link` does both for the servers' link (`make fuzz ARGS=--link`).
The tests send some of the same. A seed always gives the same inputs, so what is found can be found
again.
"""
