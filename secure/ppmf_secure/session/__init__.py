# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to one run as a whole.

- `session`: the public facts that all parties of a run agree on; begin here;
- `cipher_suites`: the cipher suites that a session may name;
- `checkpoint`: the shares that a server keeps for a later epoch, and their format;
- `transcript`: the record of every message that a party sent or received.
"""
