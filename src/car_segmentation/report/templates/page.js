"use strict";
(() => {
  const root = document.documentElement;
  const darkColours = JSON.parse(document.getElementById("dark-colours").textContent);
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);

  // Plots: drawn in the light colours, which the dark theme exchanges one for one.
  const config = { responsive: true, displayModeBar: false };
  function drawPlot(plot) {
    const source = plot.closest("figure").querySelector("script").textContent;
    const text = isDark() ? source.replace(/#[0-9a-f]{6}/g, (c) => darkColours[c] || c) : source;
    const { data, layout } = JSON.parse(text);
    return Plotly.react(plot, data, layout, config);
  }
  const plots = [...document.querySelectorAll("[data-plot]")];
  const drawPlots = () => plots.forEach(drawPlot);
  plots.forEach((plot) => setTimeout(async () => {
    await drawPlot(plot);
    plot.on("plotly_click", ({ points: [point] }) => point.id !== undefined && show(point.id));
  }));

  // What a point stands for: its picture if there is one, else its row.
  function show(name) {
    const named = (kind) =>
      document.querySelector(`${kind}[data-name="${CSS.escape(String(name))}"]`);
    const target = named("figure") || named("tr");
    if (!target) return;
    if (target.closest("details")) target.closest("details").open = true;
    target.scrollIntoView({ block: "center" });
    target.classList.remove("found");
    requestAnimationFrame(() => target.classList.add("found"));
  }

  // Theme: the system's, until the button is pressed; then what was chosen last.
  function storedTheme(theme) {
    try {
      if (theme) localStorage.setItem("theme", theme);
      return localStorage.getItem("theme");
    } catch {
      return theme; // Some browsers keep nothing for pages from disk.
    }
  }
  const chosen = storedTheme();
  if (chosen) root.dataset.theme = chosen;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    storedTheme(root.dataset.theme);
    drawPlots();
  });
  systemDark.addEventListener("change", drawPlots);

  // Tables: a click on a heading sorts, numbers from the largest first at the second click.
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => heading.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const numeric = heading.classList.contains("number");
      const value = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => numeric ? Number(a) - Number(b) : a.localeCompare(b);
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === ""); // Missing ones stay last.
        return direction * compare(x, y);
      });
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      body.append(...rows);
    }));
    const search = table.closest("figure").querySelector("input[type=search]");
    search?.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      search.closest("figure").querySelector("output").textContent =
        shown === body.rows.length ? `${shown} rows` : `${shown} of ${body.rows.length} rows`;
    });
  }

  // Pictures at their full size.
  const dialog = document.getElementById("full-size");
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const image = dialog.querySelector("img");
      const source = button.querySelector("img");
      image.src = source.src;
      image.alt = source.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());

  // The navigation marks the section that is being read.
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const reading = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      links.get(target.id)?.classList.toggle("here", isIntersecting);
    }
  }, { rootMargin: "-30% 0px -69% 0px" });
  document.querySelectorAll("section").forEach((section) => reading.observe(section));
})();
