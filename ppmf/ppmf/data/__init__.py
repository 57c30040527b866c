# SPDX-License-Identifier: Apache-2.0
"""The ratings and titles that commands and the estimator use.

- `rating_sources`: chooses the ratings of a command, and says which it chose; begin here;
- `tables`, `columns`: read any table strictly, and find its columns by their names;
- `rating_tables`: ratings from a table, and the policies for those that would be refused;
- `id_lists`: public lists of users and items;
- `movielens`: fetches MovieLens-100K once and keeps it in the user's cache;
- `synthetic_ratings`: makes up ratings where there is no network;
- `data_frames`: reads ratings in memory, data frames of any library and iterables of tuples;
- `item_titles`: titles of items, from a table that is named or lies beside the ratings.
"""
