# SPDX-License-Identifier: Apache-2.0
"""Adapters that come with the suite: both implementations of the house, and broken ones.

An adapter is a program. Run one with `python -m ppmf_conformance.adapters.NAME`.
"""
