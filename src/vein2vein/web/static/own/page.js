// What every page does by script: local times, progress that is told by the server, files that are too large.
// Without it every page still works: forms are sent, progress is asked for, times are in UTC.
"use strict";
(() => {
  const streams = new Map();

  // Progress: one stream for each job that is on view, none where the page is hidden (a browser has few connections).
  function follow() {
    for (const [place, stream] of streams) {
      if (!place.isConnected || document.hidden) {
        stream.close();
        streams.delete(place);
      }
    }
    if (document.hidden) return;
    for (const place of document.querySelectorAll("[data-events]")) {
      if (streams.has(place)) continue;
      const stream = new EventSource(place.dataset.events);
      stream.addEventListener("changed", () => htmx.trigger(place, "changed"));
      stream.onerror = () => stream.close(); // the page asks every few seconds anyway
      streams.set(place, stream);
    }
  }

  function localTimes(within) {
    for (const time of within.querySelectorAll("time[datetime]")) {
      const when = new Date(time.dateTime);
      if (!Number.isNaN(+when)) time.textContent = when.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    }
  }

  function seen(within) {
    localTimes(within);
    follow();
  }

  document.addEventListener("visibilitychange", follow);
  document.addEventListener("htmx:after:swap", () => seen(document));
  document.addEventListener("DOMContentLoaded", () => seen(document));

  // A slider and the number beside it are one thing: the number is what is sent.
  function pair(event) {
    const from = event.target;
    if (!(from instanceof HTMLInputElement)) return;
    const slider = from.dataset.slider ? null : from.id && document.querySelector(`[data-slider="${CSS.escape(from.id)}"]`);
    if (from.dataset.slider) document.getElementById(from.dataset.slider).value = from.value;
    else if (slider && from.value.trim() !== "" && !Number.isNaN(Number(from.value))) slider.value = from.value;
  }
  document.addEventListener("input", pair, true); // before a form that listens to the same event sends itself

  // What cannot be taken back is asked about first.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // A button that prints the page.
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-print]")) window.print();
  });

  // No answer at all: the app has ended, or takes too long. What is on the page stays.
  document.addEventListener("htmx:error", (event) => {
    const place = document.getElementById("problem");
    if (!event.detail?.ctx || !place) return;
    const said = document.createElement("p"), box = document.createElement("div");
    said.textContent = document.body.dataset.noAnswer;
    box.className = "problem";
    box.dataset.noAnswer = "";
    box.append(said);
    place.replaceChildren(box);
  });
  document.addEventListener("htmx:after:swap", () => document.querySelector("#problem > [data-no-answer]")?.remove());

  // A button that copies the text before it.
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-copy]");
    if (!button) return;
    const from = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(from.textContent);
      button.textContent = "\u2713";
    } catch { // not allowed here: it is marked, to be copied by hand
      getSelection().selectAllChildren(from);
    }
  });

  // A file that is too large is refused before it is sent.
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || input.type !== "file") return;
    const most = Number(document.body.dataset.largest);
    const large = [...input.files].some((file) => file.size > most);
    input.setCustomValidity(large ? `${document.body.dataset.tooLarge} ${most / 1e6}` : "");
    input.reportValidity();
  });
})();
