"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const made = (tag, text, parent) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // Files that the page makes of what it shows
  const save = (name, content, type) => {
    const blob = content instanceof Blob ? content : new Blob([content], { type });
    const link = made("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const guarded = (text) => (/^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text);
  const csvOf = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => quoted(guarded(cell.textContent))).join(",")).join("\n") + "\n";
  const fileName = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 60) || "figure";
  const svgText = (svg) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    return new XMLSerializer().serializeToString(copy);
  };
  const savePng = (svg, name) => {
    const image = new Image();
    const { width, height } = svg.viewBox.baseVal;
    image.onload = () => {
      const canvas = made("canvas");
      [canvas.width, canvas.height] = [4 * width, 4 * height].map(Math.round);
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(`${name}.png`, blob));
    };
    image.src = URL.createObjectURL(new Blob([svgText(svg)], { type: "image/svg+xml" }));
  };
  for (const figure of all(".drawing")) {
    const name = fileName(figure.querySelector("figcaption").textContent);
    const tools = made("div", undefined, figure);
    tools.className = "tools";
    const button = (text, action) => {
      const element = made("button", text, tools);
      element.type = "button";
      element.onclick = action;
    };
    const svg = figure.querySelector(".vector > svg");
    const pixels = figure.querySelector(".pixels > img");
    if (svg) {
      button("SVG", () => save(`${name}.svg`, svgText(svg), "image/svg+xml"));
      button("PNG", () => savePng(svg, name));
    }
    if (pixels) button("PNG", () => save(`${name}.png`, bytesOf(pixels.src)));
    const csv = figure.querySelector(".csv");
    if (csv) button("csv", () => save(`${name}.csv`, csv.textContent, "text/csv"));
  }
  function bytesOf(source) {
    const text = atob(source.slice(source.indexOf(",") + 1));
    return new Blob([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], { type: "image/png" });
  }
  for (const button of all(".save-table")) {
    const table = button.closest("section").querySelector("table.cases");
    button.onclick = () => save(`${button.dataset.name}.csv`, csvOf(table), "text/csv");
  }
  const methods = document.querySelector(".methods");
  const copy = made("button", "Copy", methods.parentElement);
  copy.type = "button";
  copy.className = "tools";
  copy.onclick = () => {
    getSelection().selectAllChildren(methods);
    if (document.execCommand("copy")) copy.textContent = "Copied";
  };

  // The table of cases: sorted by a click on a heading, filtered by text and by wrong predictions
  const table = document.querySelector("table.cases");
  const rows = all("tbody tr", table);
  const headings = all("th", table);
  const sortBy = (column, heading) => {
    const isUp = heading.getAttribute("aria-sort") !== "ascending";
    headings.forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const text = (row) => row.cells[column].textContent;
    const isNumber = rows.every((row) => text(row) === "" || !Number.isNaN(Number(text(row))));
    const collator = new Intl.Collator("en", { numeric: true });
    const compare = isNumber ? (a, b) => Number(text(a)) - Number(text(b)) : (a, b) => collator.compare(text(a), text(b));
    const empty = (row) => (text(row) === "" ? 1 : 0);
    rows.sort((a, b) => empty(a) - empty(b) || (isUp ? 1 : -1) * compare(a, b));
    table.tBodies[0].append(...rows);
  };
  headings.forEach((heading, column) => {
    heading.tabIndex = 0;
    heading.onclick = () => sortBy(column, heading);
    heading.onkeydown = (event) => { if (event.key === "Enter") sortBy(column, heading); };
  });
  const filter = document.querySelector(".filter");
  const onlyWrong = document.querySelector(".only-wrong");
  const count = document.querySelector(".count");
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word)) || Boolean(onlyWrong?.checked && !row.classList.contains("is-wrong"));
      n += row.hidden ? 0 : 1;
    }
    count.textContent = `${n} of ${rows.length} cases`;
  };
  filter.oninput = show;
  if (onlyWrong) onlyWrong.onchange = show;
  show();

  // A case: opened from the table, a picture or a dot
  const dialog = document.querySelector("dialog.case");
  const open = (position) => {
    const row = document.getElementById(`case-${position}`);
    if (!row) return;
    dialog.replaceChildren();
    dialog.dataset.case = position;
    made("h3", row.cells[0].textContent, dialog);
    const what = made("div", undefined, dialog);
    what.className = "what";
    const picture = document.querySelector(`.lesion[data-case="${position}"] svg`);
    if (picture) what.append(picture.cloneNode(true));
    const facts = made("table", undefined, what);
    headings.slice(1).forEach((heading, number) => {
      const line = facts.insertRow();
      made("th", heading.textContent, line);
      const cell = made("td", row.cells[number + 1].textContent, line);
      cell.className = row.cells[number + 1].className;
    });
    if (!picture && document.querySelector(".lesion")) made("p", "This file has no picture of the case.", dialog).className = "caption";
    const tools = made("div", undefined, dialog);
    tools.className = "tools";
    const shown = rows.filter((each) => !each.hidden);
    const step = (text, by) => {
      const other = shown[shown.indexOf(row) + by];
      const button = made("button", text, tools);
      button.disabled = !other || !shown.includes(row);
      button.onclick = () => open(other.dataset.case);
    };
    step("Previous", -1);
    step("Next", 1);
    const close = made("button", "Close", tools);
    close.onclick = () => dialog.close();
    if (!dialog.open) dialog.showModal();
  };
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const target = link && (link.getAttribute("href") ?? link.getAttribute("xlink:href") ?? "");
    const folded = target && /^#part\d+$/.test(target) && document.querySelector(target);
    if (folded && folded.matches("details")) folded.open = true;
    if (target && target.startsWith("#case-")) {
      event.preventDefault();
      open(target.slice("#case-".length));
    } else if (event.target.closest("table.cases tbody tr")) {
      open(event.target.closest("tr").dataset.case);
    }
  });
})();
