"use strict";
(() => {
  const list = () => {
    const PAGE = 200;
    const data = JSON.parse(document.getElementById("data").textContent);
    const lower = data.tests.map((test) => `${test[1]}\n${data.suites[test[0]]}\n${test[5]}`.toLowerCase());
    const $ = (id) => document.getElementById(id);
    const table = $("tests"), body = table.tBodies[0], more = $("more"), shown = $("shown"), filter = $("filter");
    const words = { error: "error", failed: "failed", passed: "passed", skipped: "skipped", xfailed: "xfailed", xpassed: "xpassed" };
    let found = [], visible = 0;

    const time = (seconds) => seconds > 0 && seconds < 0.00995 ? `${(seconds * 1000).toFixed(1)} ms` : seconds < 0.9995 ? `${(seconds * 1000).toFixed(0)} ms`
      : seconds < 59.95 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;

    const element = (name, text, kind) => {
      const made = document.createElement(name);
      if (text !== undefined) made.textContent = text;
      if (kind) made.className = kind;
      return made;
    };

    const row = (index) => {
      const [suite, id, outcome, seconds, attempts, message] = data.tests[index];
      const line = element("tr"), first = element("td"), second = element("td");
      first.append(element("span", words[outcome], `badge ${outcome}`));
      if (attempts > 1) first.append(" ", element("span", `${attempts} attempts`, "badge retried"));
      const cut = id.indexOf("::"), test = element("span", undefined, "test");
      if (cut > 0) test.append(element("span", id.slice(0, cut), "file"), element("span", "::", "sep"), element("span", id.slice(cut + 2), "case"));
      else test.append(element("span", id, "case"));
      second.append(test);
      if (message) second.append(element("span", message, "message"));
      line.append(first, second, element("td", data.suites[suite]), element("td", time(seconds), "num"));
      return line;
    };

    const grow = () => {
      const part = document.createDocumentFragment();
      for (const index of found.slice(visible, visible + PAGE)) part.append(row(index));
      body.append(part);
      visible = Math.min(found.length, visible + PAGE);
      more.hidden = visible >= found.length;
      const all = data.tests.length;
      shown.textContent = found.length === 0 ? "No test fits." : visible < found.length
        ? `Showing ${visible} of ${found.length}${found.length < all ? ` that fit, ${all} in all` : ""}.`
        : found.length < all ? `${found.length} of ${all} fit.` : "";
    };

    const apply = () => {
      const asked = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
      const outcomes = new Set([...filter.querySelectorAll("[name=outcome]:checked")].map((box) => box.value));
      const retried = $("only-flaky").checked, order = $("order").value;
      found = [];
      data.tests.forEach((test, index) => {
        if (!outcomes.has(test[2]) || (retried && test[4] < 2)) return;
        if (asked.every((word) => lower[index].includes(word))) found.push(index);
      });
      if (order === "slow") found.sort((a, b) => data.tests[b][3] - data.tests[a][3]);
      if (order === "name") found.sort((a, b) => (data.tests[a][1] < data.tests[b][1] ? -1 : 1));
      body.replaceChildren();
      visible = 0;
      grow();
    };

    filter.addEventListener("input", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
    more.addEventListener("click", grow);
    filter.hidden = table.hidden = false;
    apply();
  };
  if (document.getElementById("tests")) list();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const item of closed) item.open = true;
  });
  addEventListener("afterprint", () => { for (const item of closed) item.open = false; });
})();
