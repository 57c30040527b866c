# SPDX-License-Identifier: Apache-2.0
"""Programs of the maintainers: they make and check files of the repository, and are in no wheel."""
