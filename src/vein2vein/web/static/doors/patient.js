// The page of one patient: logarithmic sliders, pin, own points dropped on a chart, and the rest after dragging.
"use strict";
(() => {
  const SLOW = 8000; // milliseconds without a first drawing after which it is said why
  const REST = 400; // milliseconds without a change after which the whole follow-up is asked for
  const form = document.getElementById("scenario");
  if (!form) return;
  let resting = 0;
  setTimeout(() => { const waiting = document.getElementById("waiting"); waiting.textContent = waiting.dataset.slow; }, SLOW);
  form.elements.slot.value = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");

  // Where it is narrow the form stands above the charts: closed, unless something in it is to be mended.
  const asked = document.getElementById("asked"), narrow = matchMedia("(max-width: 56rem)");
  const fold = () => { asked.open = !narrow.matches || Boolean(asked.querySelector(".fault, .problem")); };
  narrow.addEventListener("change", fold);
  fold();

  // A slider of powers of ten writes the number, with three digits, and what belongs to it.
  function written(power, ending) {
    const value = 10 ** power;
    if (ending === "/kg" || value >= 1e6) return value.toExponential(1).replace("e+", "e").replace(/\.0e/, "e") + ending;
    return String(Number(value.toPrecision(3)));
  }
  document.addEventListener("input", (event) => {
    const from = event.target;
    if (!(from instanceof Element) || !form.contains(from)) return;
    clearTimeout(resting);
    document.getElementById("whole").classList.add("stale"); // of the scenario before
    if (!(from instanceof HTMLInputElement)) return;
    if (from.dataset.log) document.getElementById(from.dataset.log).value = written(Number(from.value), from.dataset.ending);
    else {
      const slider = from.id && form.querySelector(`[data-log="${CSS.escape(from.id)}"]`);
      const value = parseFloat(from.value);
      if (slider && value > 0) slider.value = Math.log10(value);
    }
  }, true);

  const redraw = () => htmx.trigger(form, "redraw");

  // A drawing that is asked for ends the rest after the one before: else its whole follow-up would take this one's place.
  document.addEventListener("htmx:before:request", (event) => { if (event.target === form) clearTimeout(resting); });
  // Nothing to show though nothing newer was asked for: an older question reached the server last.
  document.addEventListener("htmx:after:request", (event) => { if (event.target === form && event.detail.ctx.response.status === 204) redraw(); });

  // Another product or disease has other choices and numbers: the form is made anew, then drawn.
  document.addEventListener("change", async (event) => {
    const from = event.target;
    if (!(from instanceof HTMLSelectElement) || !["disease", "scenario.product"].includes(from.name)) return;
    if (from.name === "scenario.product") for (const one of ["scenario.dose", "scenario.conditioning"]) if (form.elements[one]) form.elements[one].value = "";
    const focused = from.id;
    const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();
    let answer;
    try {
      answer = await fetch("/patient/form", { method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded", "hx-request": "true" } });
    } catch {
      document.dispatchEvent(new CustomEvent("htmx:error", { detail: { ctx: form } }));
      return;
    }
    document.getElementById(answer.ok ? "fields" : "problem").innerHTML = await answer.text();
    document.getElementById(focused)?.focus();
    redraw();
  });

  document.getElementById("pin").addEventListener("click", () => {
    const text = document.getElementById("scenario-text");
    if (!text) return;
    form.elements.pinned.value = text.value;
    pinned(true);
    redraw();
  });
  document.getElementById("unpin").addEventListener("click", () => {
    form.elements.pinned.value = "";
    pinned(false);
    redraw();
  });
  function pinned(is) {
    document.getElementById("unpin").hidden = !is;
    document.getElementById("pinned-told").hidden = !is;
  }

  // Saving is a plain form: the answer is a page.
  for (const button of form.querySelectorAll("[data-plain]")) button.addEventListener("click", (event) => {
    event.preventDefault();
    const name = button.name && Object.assign(document.createElement("input"), { type: "hidden", name: button.name, value: button.value });
    if (name) form.append(name);
    form.submit();
  });

  // A file that is dropped on a chart is one that is chosen.
  const own = document.getElementById("own"), file = document.getElementById("own-file");
  for (const place of [document.querySelector(".drawn"), own]) {
    place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("over");
      if (!event.dataTransfer.files.length) return;
      file.files = event.dataTransfer.files;
      file.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || event.target.id !== "drop-points") return;
    document.getElementById("points").replaceChildren();
    own.reset();
    redraw();
  });

  // With the whole follow-up come the first days to their end: they take the place of those that were drawn while dragging.
  function again() {
    const whole = document.getElementById("first-again"), charts = document.querySelector("#first .charts");
    if (!whole || !charts || !whole.childElementCount) return;
    charts.replaceChildren(...whole.childNodes);
    whole.remove();
    document.querySelector(".dragged-to")?.remove();
  }

  document.addEventListener("htmx:after:swap", () => {
    if (document.getElementById("first-again")) document.getElementById("whole").classList.remove("stale");
    again();
    document.getElementById("first").classList.toggle("stale", Boolean(document.querySelector("#problem .problem")) && !document.querySelector("#first [data-same]:not([data-seen])"));
    const seen = document.querySelector("#first [data-same]");
    document.getElementById("waiting").hidden = Boolean(document.querySelector("#first figure, #first .note"));
    const points = document.querySelector("#points input");
    if (points && !points.dataset.seen) { points.dataset.seen = "1"; redraw(); }
    if (!seen || seen.dataset.seen) return;
    seen.dataset.seen = "1"; // the first days are new: the sentence about a fault is gone, the same elsewhere is told anew
    document.getElementById("problem").replaceChildren();
    const shown = document.querySelectorAll(".same code");
    if (shown.length === 2) { shown[0].textContent = seen.querySelector(".python").textContent; shown[1].textContent = seen.querySelector(".command").textContent; }
    clearTimeout(resting);
    resting = setTimeout(() => htmx.trigger("#whole", "rested"), REST);
  });
})();
