/* SPDX-License-Identifier: Apache-2.0 */

/* The search of Sphinx finds pages. This script puts before them the requirements that match, each
   with a link to its box. `PPMF_REQUIREMENTS`, of ppmf_docs/search.py, has an array for each: id,
   title, sentence, name of the page. */

"use strict";

{
  const ID = /^(ppmf-)?[a-z]{2,5}-\d{1,3}$|^ppmf-[a-z]{2,5}-?$/;
  const pagesThatMatch = Search._performSearch;
  const stemmer = new Stemmer();

  /* What is found are places as well as pages. */
  Object.assign(Documentation.TRANSLATIONS, {
    "Search finished, found one page matching the search query.": ["One place found.", "${resultCount} places found."],
  });

  const words = (text) => new Set(splitQuery(text.toLowerCase()).map((word) => stemmer.stemWord(word)));

  /* A term is found as a word or, from three letters on, as the beginning of one. */
  const hasAll = (text, terms) => {
    const found = words(text);
    return [...terms].every((term) => found.has(term) ||
      (term.length > 2 && [...found].some((word) => word.startsWith(term))));
  };

  const hit = ([id, title, sentence, page]) => {
    const shown = sentence.length > 240 ? `${sentence.slice(0, 240)}…` : sentence;
    return [page, `${id}: ${title}`, `#${id}`, shown, 100, page, SearchResultKind.object];
  };

  /* Results are shown from the last to the first. */
  Search._performSearch = (query, terms, ...more) => {
    const sought = query.trim().toLowerCase();
    if (ID.test(sought)) {
      const named = PPMF_REQUIREMENTS.filter(([id]) => id.toLowerCase().includes(sought));
      if (named.length) {
        localStorage.removeItem("sphinx_highlight_terms"); // "ppmf" is everywhere
        return named.map(hit).reverse();
      }
    }
    const matching = terms.size ? PPMF_REQUIREMENTS.filter(([, title, sentence]) =>
      hasAll(`${title} ${sentence}`, terms)) : [];
    const first = matching.filter(([, title]) => hasAll(title, terms));
    const then = matching.filter((one) => !first.includes(one));
    return [...pagesThatMatch(query, terms, ...more), ...[...first, ...then].map(hit).reverse()];
  };
}
