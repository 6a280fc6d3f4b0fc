"use strict";
// Opens the part of a page about a scene when a link leads into it.
(() => {
  function open() {
    const place = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    const around = place ? place.closest("details") : null;
    if (!around) return;
    around.open = true;
    around.scrollIntoView();
  }
  window.addEventListener("hashchange", open);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest ? event.target.closest('a[href^="#"]') : null;
    if (link && link.getAttribute("href") === location.hash) open();
  });
  open();
})();
