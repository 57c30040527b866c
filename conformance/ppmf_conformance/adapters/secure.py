# SPDX-License-Identifier: Apache-2.0
"""The adapter of the secure implementation: `python -m ppmf_conformance.adapters.secure`.

What it answers stands in `secure_operations`, which needs the extra `ppmf[secure]`.
"""

from __future__ import annotations

import sys

from ppmf_spec.extras import MissingExtraError, needed_by


def main() -> int:
    """Answer calls until standard input ends; or say in one line what is not installed."""
    try:
        with needed_by("`python -m ppmf_conformance.adapters.secure`"):
            from ppmf_conformance.adapters import secure_operations
    except MissingExtraError as error:
        print(f"ppmf: error (installation): {error}", file=sys.stderr)
        return 2
    secure_operations.answer()
    return 0


if __name__ == "__main__":
    sys.exit(main())
