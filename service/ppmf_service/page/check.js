// SPDX-License-Identifier: GPL-3.0-or-later
// What is done before anything else, in the oldest JavaScript: the fragment with its secrets leaves the address
// (PPMF-PAGE-003), and a browser that is too old is told so. The rest of the page waits for `window.ppmf.browser`.

(function () {
  "use strict";
  var page = { fragment: location.hash.slice(1), browser: null };
  window.ppmf = page;
  if (page.fragment && window.history && history.replaceState) {
    history.replaceState(null, "", location.pathname + location.search);
  }

  var synchronous =
    window.isSecureContext === true &&
    !!(window.crypto && crypto.subtle) &&
    "noModule" in document.createElement("script") &&
    typeof BigInt === "function" &&
    typeof "".isWellFormed === "function" &&
    typeof AbortSignal === "function" &&
    typeof AbortSignal.timeout === "function" &&
    !!window.indexedDB &&
    !!navigator.locks &&
    typeof Worker === "function" &&
    typeof HTMLDialogElement === "function";

  function tell(fits) {
    document.documentElement.setAttribute("data-browser", fits ? "new" : "old");
    if (fits) return true;
    var show = function () {
      document.getElementById("too-old").hidden = false;
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show);
    else show();
    return false;
  }

  if (!synchronous) {
    tell(false);
    return;
  }
  // The newest thing that is needed: X25519, with which the key of the mask is sealed.
  page.browser = crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]).then(
    function () {
      return tell(true);
    },
    function () {
      return tell(false);
    },
  );
})();
