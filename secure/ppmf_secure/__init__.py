# SPDX-License-Identifier: GPL-3.0-or-later
"""Private matrix factorisation by three kinds of parties (chapter 4 of the specification).

The packages build on each other, in this order:

- `primitives` are the cryptographic building blocks. They send nothing.
- `session` holds what the parties agree on before a run, and what a run leaves in files.
- `protocols` are the sub-protocols: the upload, and all that the two servers do together.
- `parties` are the programs of the users, of RecSys and of CSP.
- `link` is what two servers on machines of their own say to each other, without what carries it.
- `transport` runs these programs, `simulator` makes what each party sees without their secrets.

A program is a generator that yields `effects`, and one `driver` runs it over every transport. The
types of arrays stand in `arrays`.

To read the protocol from the top, begin with `parties.training`: both servers run it, and it calls
the sub-protocols in the order of chapter 4. To read it from the bottom, begin with `primitives`.
"""

import sys

if sys.byteorder != "little":  # arrays go to AES and to the wire as they are in memory
    raise ImportError("ppmf_secure needs a little-endian machine")
