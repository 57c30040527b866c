# SPDX-License-Identifier: Apache-2.0
"""What `ppmf bench` is made of: measured runs, the comparison with SPU, slopes, plots, unit costs."""
