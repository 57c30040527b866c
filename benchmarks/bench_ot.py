# SPDX-License-Identifier: Apache-2.0
"""Seconds of the base transfers, and transfers a second of their extension.

    python benchmarks/bench_ot.py [--elements 26000] [--bits 61] [--rounds 5]

The default size is an iteration of MovieLens-100K, a transfer for each bit of each element. Prints
the best round of each side, on one core; asserts nothing about time.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np

from ppmf_secure.primitives import base_transfers, transfer_extension
from ppmf_secure.primitives.coins import Coins


def main() -> None:
    """Make base transfers once, extend them `--rounds` times, print what each side took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=26_000)
    parser.add_argument("--bits", type=int, default=61)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    count = options.elements * options.bits

    coins = Coins.seeded("bench_ot")
    offset = transfer_extension.fresh_offset(coins, odd=True)
    started = perf_counter()
    base_chooser = base_transfers.BaseChooser(
        transfer_extension.offset_bits(offset), b"bench", coins
    )
    chosen = perf_counter()
    base_sender = base_transfers.BaseSender(b"bench", coins)
    pairs = base_sender.seed_pairs(base_chooser.request)
    answered = perf_counter()
    seeds = base_chooser.seeds(base_sender.answer)
    revealed = perf_counter()
    sizes = f"{len(base_chooser.request):,} + {len(base_sender.answer):,} bytes"
    print(f"128 base transfers, {sizes}")
    print(f"choose    {chosen - started:6.3f} s")
    print(f"answer    {answered - chosen:6.3f} s")
    print(f"reveal    {revealed - answered:6.3f} s")

    sender = transfer_extension.ExtensionSender(offset, seeds, b"bench")
    chooser = transfer_extension.ExtensionChooser(pairs, b"bench")
    choices = coins.bits(count)

    choosing, sending = [], []
    for _ in range(options.rounds):
        started = perf_counter()
        columns, held = chooser.extend(choices)
        received = perf_counter()
        keys = sender.extend(columns, count)
        sending.append(perf_counter() - received)
        choosing.append(received - started)
        if not np.array_equal(keys ^ held, choices[:, np.newaxis] * offset):
            raise SystemExit("the keys do not differ by choice times offset")

    print(f"{count:,} transfers, {transfer_extension.columns_bytes(count) / 1e6:.1f} MB of columns")
    print(f"chooser   {min(choosing):6.3f} s  {count / min(choosing) / 1e6:6.1f} M transfers/s")
    print(f"sender    {min(sending):6.3f} s  {count / min(sending) / 1e6:6.1f} M transfers/s")


if __name__ == "__main__":
    main()
