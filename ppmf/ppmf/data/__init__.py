# SPDX-License-Identifier: Apache-2.0
"""The ratings and titles that commands use.

- `rating_sources`: chooses the ratings of a command, and says which it chose; begin here;
- `movielens`: fetches MovieLens-100K once and keeps it in the user's cache;
- `synthetic_ratings`: makes up ratings where there is no network;
- `item_titles`: finds the titles of items beside a file of ratings.
"""
