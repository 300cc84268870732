"use strict";
(() => {
  const queue = document.getElementById("review-queue");
  const cards = [...queue.children];
  const names = JSON.parse(document.getElementById("review-names").textContent);
  const key = `review ${queue.dataset.queue}`;
  const byKey = { a: "accept", r: "reject", e: "edit" };
  const steps = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
  let decisions = {}; // By photo.
  try {
    decisions = JSON.parse(localStorage.getItem(key)) || {};
  } catch {
    // Some browsers keep nothing for pages from disk: then the download alone keeps it.
  }

  function show(index) {
    const decision = decisions[names[index]];
    if (decision) cards[index].dataset.decision = decision;
    else delete cards[index].dataset.decision;
    for (const button of cards[index].querySelectorAll("[data-decision]")) {
      button.setAttribute("aria-pressed", String(button.dataset.decision === decision));
    }
  }
  function count() {
    const of = (decision) => names.filter((name) => decisions[name] === decision).length;
    const [accepted, rejected, edited] = Object.values(byKey).map(of);
    const left = names.length - accepted - rejected - edited;
    document.getElementById("review-counts").textContent =
      `${accepted} accepted · ${rejected} rejected · ${edited} to edit · ${left} left`;
  }
  function decide(index, decision) {
    if (decision) decisions[names[index]] = decision;
    else delete decisions[names[index]];
    try {
      localStorage.setItem(key, JSON.stringify(decisions));
    } catch {
      // See above.
    }
    show(index);
    count();
  }
  let current = -1;
  function mark(index) {
    cards[current]?.removeAttribute("aria-current");
    cards[index].setAttribute("aria-current", "true");
    current = index;
  }
  function go(step) {
    let index = current + step;
    while (cards[index] && !cards[index].checkVisibility()) index += step;
    if (!cards[index]) return;
    mark(index);
    cards[index].focus({ preventScroll: true });
    cards[index].scrollIntoView({ block: "nearest" });
  }

  queue.addEventListener("focusin", ({ target }) => mark(cards.indexOf(target.closest("li"))));
  queue.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-decision]");
    if (!button) return;
    const pressed = button.getAttribute("aria-pressed") === "true";
    decide(cards.indexOf(button.closest("li")), pressed ? null : button.dataset.decision);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    if (event.key in steps) go(steps[event.key]);
    else if (current >= 0 && (event.key in byKey || event.key === "u")) {
      decide(current, byKey[event.key]);
      if (event.key !== "u") go(1);
    } else return;
    event.preventDefault();
  });
  document.getElementById("review-hide").addEventListener("change", ({ target }) => {
    queue.classList.toggle("hide-decided", target.checked);
  });
  document.getElementById("review-download").addEventListener("click", () => {
    // What a spreadsheet would run as a formula gets an apostrophe, as in the project's tables.
    const cell = (text) => `"${text.replace(/^(?='*[=+\-@\t\r\n])/, "'").replaceAll('"', '""')}"`;
    const rows = names.filter((name) => decisions[name])
      .map((name) => `${cell(name)},${decisions[name]}\n`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["photo,decision\n", ...rows], { type: "text/csv" }));
    link.download = "review_decisions.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  cards.forEach((_, index) => names[index] in decisions && show(index));
  count();
})();
