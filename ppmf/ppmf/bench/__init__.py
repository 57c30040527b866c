# SPDX-License-Identifier: Apache-2.0
"""What `ppmf bench` is made of: measured runs, SPU next to them, slopes, plots, unit costs."""
