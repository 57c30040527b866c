# SPDX-License-Identifier: Apache-2.0
"""Mutation testing of the packages: the mutants, and what is said of those that survive."""
