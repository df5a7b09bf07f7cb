// A trial: what is typed is checked while one goes on, a fault leads to its line, saving is a plain form.
"use strict";
(() => {
  const REST = 600; // milliseconds without a key after which what is typed is checked
  const form = document.getElementById("trial");
  if (!form) return;
  const editor = document.getElementById("editor");
  let waiting = 0, asked = 0;

  const said = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();

  // The answer is shown only if nothing was typed in between: nobody loses a letter.
  async function check(button) {
    clearTimeout(waiting);
    const turn = ++asked, sent = said();
    const body = button?.name ? `${sent}&${encodeURIComponent(button.name)}=${encodeURIComponent(button.value)}` : sent;
    let answer;
    try {
      answer = await fetch(form.dataset.check, { method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded", "hx-request": "true" } });
    } catch {
      document.dispatchEvent(new CustomEvent("htmx:error", { detail: { ctx: form } })); // nothing is said of what cannot be checked
      editor.querySelector(".good")?.remove();
      return;
    }
    const html = await answer.text();
    if (turn !== asked || said() !== sent) return;
    document.getElementById("problem").replaceChildren();
    if (answer.headers.get("hx-retarget")) document.getElementById("problem").innerHTML = html;
    else show(html);
  }

  function show(html) {
    const here = document.activeElement, id = here && editor.contains(here) ? here.id : "";
    const marked = id && "selectionStart" in here ? [here.selectionStart, here.selectionEnd] : null, scrolled = here?.scrollTop;
    const open = new Set([...editor.querySelectorAll("details[open] > summary")].map(named));
    editor.innerHTML = html;
    for (const summary of editor.querySelectorAll("details > summary")) if (open.has(named(summary))) summary.parentElement.open = true;
    const again = id && document.getElementById(id);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (marked && marked[0] !== null && "setSelectionRange" in again) again.setSelectionRange(...marked);
    again.scrollTop = scrolled;
  }
  // A run of the saved trial leaves the page: what is not saved is asked about.
  const run = document.querySelector("form.run");
  const changed = () => { run.dataset.confirm = run.dataset.unsaved; };
  form.addEventListener("input", changed);
  const named = (summary) => summary.textContent.replace(/\s*\(\d+\)\s*$/, "");

  form.addEventListener("change", () => check());
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(check, REST); });
  form.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button");
    if (!button) return;
    if (button.dataset.plain !== undefined) return; // the answer is a page
    event.preventDefault();
    changed();
    check(button);
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("#fault a")) return;
    event.preventDefault();
    const text = document.getElementById("text"), line = Number(document.getElementById("fault").dataset.line);
    const lines = text.value.split("\n"), from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(from, from + (lines[line - 1] ?? "").length);
    text.scrollTop = (line - 5) * (text.scrollHeight / Math.max(lines.length, 1));
  });
})();
