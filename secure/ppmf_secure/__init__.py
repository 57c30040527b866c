# SPDX-License-Identifier: GPL-3.0-or-later
"""The secure implementation: the protocol of chapter 4, by three kinds of parties.

The sub-packages, in the order of the layers, the lowest first:

- `primitives`: coins, shares, seals, hashing, homomorphic encryption, transfers and circuits;
- `session`: what the parties of a run agree on, transcripts, and the format of checkpoints;
- `protocols`: the sub-protocols between two servers, and the plan of all messages;
- `parties`: the users, RecSys and CSP, each as a program without sockets, clocks or files;
- `transport`, `simulator`: what runs these programs, over processes or in one thread, and what
  simulates the view of each party.

Three modules serve all of them: `effects`, which says what a program may do; `driver`, the one loop
that runs a program over any transport; and `arrays`, the types of the arrays that hold secrets.

Begin with `parties.training`, the program that both servers run, beside chapter 4.
"""

import sys

if sys.byteorder != "little":  # labels and ring elements go to AES and to the wire as they lie
    raise ImportError("ppmf_secure needs a little-endian machine")
