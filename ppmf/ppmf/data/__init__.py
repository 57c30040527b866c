# SPDX-License-Identifier: Apache-2.0
"""The ratings that the command trains on: found on this machine, fetched, or made up.

`sources` decides which; `movielens` fetches and checks MovieLens-100K, `item_titles` reads the
titles beside a file of ratings, `synthetic` makes a set where there is no other.
"""
