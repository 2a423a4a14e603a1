"use strict";
// What a mark tells stands in its data-tip; it is shown while one points at it.
(() => {
  const tip = document.getElementById("tip");
  const near = 12;

  function show(mark) {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const most = document.documentElement.clientWidth - own.width - near;
    const left = Math.min(Math.max(near, box.x + box.width / 2 - own.width / 2), most);
    const above = box.y - own.height - near;
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${above > 0 ? above : box.bottom + near}px`;
  }

  function hide() {
    tip.hidden = true;
  }

  // Marks are small: the nearest within a finger's width counts.
  function markAt(event) {
    const direct = event.target.closest?.("[data-tip]");
    const svg = event.target.closest?.("svg");
    if (direct || !svg) return direct;
    let best = null;
    let least = near;
    for (const mark of svg.querySelectorAll("[data-tip]")) {
      const box = mark.getBoundingClientRect();
      const x = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
      const y = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
      const away = Math.hypot(x, y);
      if (away < least) {
        least = away;
        best = mark;
      }
    }
    return best;
  }

  for (const kind of ["pointermove", "pointerdown"]) {
    document.addEventListener(kind, (event) => {
      const mark = markAt(event);
      if (mark) show(mark);
      else hide();
    });
  }
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });

  // Paper cannot be clicked: it gets the verdicts and every figure's numbers.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
