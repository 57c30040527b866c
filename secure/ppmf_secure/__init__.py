# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol: three parties' programs over small rooms, each with one job.

`user`, `recsys` and `csp` are the parties; `transport` runs them. Start reading at `server`.
"""

import sys

if sys.byteorder != "little":  # labels and ring elements go to AES and to the wire as they lie
    raise ImportError("ppmf_secure needs a little-endian machine")
