"use strict";
(() => {
  const all = (what, from = document) => [...from.querySelectorAll(what)];
  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const rule = document.head.appendChild(make("style", ""));
  let asked = "";

  // One row everywhere: pointed at for a moment, or kept by a click, which the address then holds.
  const dim = (row) => {
    const marks = [".mark", ".curve", ".thin", ".dot", ".band", "line.main", "line.hollow"];
    rule.textContent = row
      ? marks.map((mark) => `.plots ${mark}:not(.${row})`).join(",") + "{opacity:.14}" +
        `[data-s]:not([data-s=${row}]):not(path){opacity:.45}`
      : "";
  };
  const keep = (row) => {
    asked = row === asked ? "" : row;
    dim(asked);
    history.replaceState(null, "", asked ? `#row-${asked}` : location.pathname + location.search);
  };
  const rowOf = (event) => event.target.closest?.("[data-s]")?.dataset.s;
  addEventListener("mouseover", (event) => dim(rowOf(event) || asked));
  addEventListener("click", (event) => rowOf(event) && keep(rowOf(event)));
  const pressed = (one, act) => {
    one.tabIndex = 0;
    one.role = "button";
    one.addEventListener("keydown", (event) => event.key === "Enter" && act());
  };
  for (const one of all(".bar[data-s], .strip[data-s], li [data-s]")) {
    pressed(one, () => keep(one.dataset.s));
    one.addEventListener("focus", () => dim(one.dataset.s));
    one.addEventListener("blur", () => dim(asked));
  }
  const known = /^#row-(s\d+)$/.exec(location.hash);
  if (known) keep(known[1]);

  // Tables: sorted by a column, copied as CSV or LaTeX.
  const number = (text) => {
    const found = /[-+−]?\d[\d,]*\.?\d*(e[-+]?\d+)?/.exec(text);
    return found ? Number(found[0].replace("−", "-").replaceAll(",", "")) : NaN;
  };
  const order = (table, at, down) => {
    const value = (row) => row.cells[at]?.textContent.trim() ?? "";
    const rows = [...table.tBodies[0].rows];
    const counted = rows.filter((row) => !isNaN(number(value(row)))).length > rows.length / 2;
    const compare = (a, b) => {
      const [x, y] = [a, b].map((row) => (counted ? number(value(row)) : value(row)));
      if (counted && (isNaN(x) || isNaN(y))) return isNaN(x) - isNaN(y);
      return (counted ? x - y : x.localeCompare(y)) * (down ? -1 : 1);
    };
    table.tBodies[0].append(...rows.sort(compare));
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = (rows) => rows.map((row) => row.map(quoted).join(",")).join("\n");
  const escaped = (text) =>
    text.replace(/[\\&%$#_{}~^]/g, (one) => ({ "\\": "\\textbackslash{}", "~": "\\textasciitilde{}",
      "^": "\\textasciicircum{}" })[one] ?? `\\${one}`).replaceAll("−", "$-$");
  const latex = ([head, ...rows]) =>
    [`\\begin{tabular}{l${"r".repeat(head.length - 1)}}`, "\\toprule", head.map(escaped).join(" & ") + " \\\\",
      "\\midrule", ...rows.map((row) => row.map(escaped).join(" & ") + " \\\\"), "\\bottomrule",
      "\\end{tabular}"].join("\n");
  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
      button.dataset.done = "copied";
    } catch {
      button.dataset.done = "not allowed here";
    }
    setTimeout(() => delete button.dataset.done, 1500);
  };
  // A figure as a file of its own, with the page's colours and markers in it.
  const svg = (figure) => {
    const { width, height } = figure.getBoundingClientRect();
    const text = (node) => new XMLSerializer().serializeToString(node);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
      all("head style, .symbols").map(text).join("") +
      `<foreignObject width="100%" height="100%">${text(figure)}</foreignObject></svg>`;
  };
  for (const figure of all("figure")) {
    const button = make("button", "Copy SVG", { className: "tools" });
    button.addEventListener("click", () => copy(button, svg(figure.querySelector(".plots:not([hidden])"))));
    figure.append(button);
  }
  for (const table of all(".scroll table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      // No button element, which is not drawn where a head is repeated on paper.
      const button = make("span", head.textContent, { className: "sort" });
      head.replaceChildren(button);
      const sort = () => {
        const down = head.ariaSort === "ascending";
        heads.forEach((one) => (one.ariaSort = null));
        head.ariaSort = down ? "descending" : "ascending";
        order(table, at, down);
      };
      button.addEventListener("click", sort);
      pressed(button, sort);
    });
    const cells = () => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
    const tools = make("p", "", { className: "tools" });
    for (const [name, as] of [["CSV", csv], ["LaTeX", latex]]) {
      const button = make("button", `Copy ${name}`);
      button.addEventListener("click", () => copy(button, as(cells())));
      tools.append(button);
    }
    table.parentElement.after(tools);
  }

  // Figures with alternatives: which of them stands there, chosen for all figures at once.
  for (const first of all(".plots[data-label]")) {
    const mine = all(".plots[data-choice]", first.parentElement);
    first.after(...mine.slice(1));
    mine.slice(1).forEach((one) => (one.hidden = true));
    first.parentElement.querySelector(".others").remove();
    const select = make("select", "", { className: "choose" });
    select.append(...mine.map((one) => make("option", one.dataset.choice)));
    select.addEventListener("change", () => {
      for (const other of all(".choose")) {
        if ([...other.options].some((one) => one.value === select.value)) other.value = select.value;
        for (const plots of all(".plots[data-choice]", other.closest("figure"))) {
          plots.hidden = plots.dataset.choice !== other.value;
        }
      }
    });
    const label = make("label", `${first.dataset.label} `, { className: "marks" });
    label.append(select);
    first.before(label);
  }

  addEventListener("beforeprint", () => all("details.appendix").forEach((one) => (one.open = true)));

  // Rows whose text holds what is typed; of a kind of input, what is of it.
  const search = make("input", "", {
    type: "search", placeholder: "Filter", ariaLabel: "Show only rows with this text",
  });
  search.setAttribute("list", "known");
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    const kind = all("[data-m]").some((one) => one.dataset.m === wanted);
    for (const row of all(".scroll tbody tr, .bar, .strip")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !kind && !wanted.split(" in ").every((part) => text.includes(part));
    }
    for (const one of all("[data-m]")) one.hidden = kind && one.dataset.m !== wanted;
  });
  document.querySelector("nav div").prepend(search);
})();
