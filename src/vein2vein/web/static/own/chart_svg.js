// A chart as a drawing (SVG), for a paper or a slide: the same data and axes as on the page, as lines and text.
const HEAD = 28;

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

export function drawing(plot, told, token, grades) {
  const scale = plot.bbox.width / plot.over.clientWidth || 1; // canvas pixels for one of the page
  const left = plot.bbox.left / scale, top = plot.bbox.top / scale, width = plot.bbox.width / scale, height = plot.bbox.height / scale;
  const right = left + width, bottom = top + height, out = [];
  const round = (v) => Number(v.toFixed(2));
  const x = (v) => round(plot.valToPos(v, "x", true) / scale), y = (v) => round(plot.valToPos(v, "y", true) / scale);
  const shown = (v) => v !== null && v !== undefined && !(told.logarithmic && v <= 0);
  const line = (x1, y1, x2, y2, color, more = "") => out.push(`<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${token(color)}" ${more}/>`);
  const text = (at, up, words, anchor = "middle", more = "") => out.push(`<text x="${round(at)}" y="${round(up)}" text-anchor="${anchor}" fill="${token("soft")}" ${more}>${escaped(words)}</text>`);

  // A line is broken where nothing is known.
  function path(days, values) {
    let pen = false, d = "";
    values.forEach((v, i) => {
      if (!shown(v)) { pen = false; return; }
      d += `${pen ? "L" : "M"}${x(days[i])} ${y(v)}`;
      pen = true;
    });
    return d;
  }

  function area(days, low, high) {
    const runs = [[]];
    days.forEach((day, i) => { if (shown(low[i]) && shown(high[i])) runs.at(-1).push(i); else if (runs.at(-1).length) runs.push([]); });
    return runs.filter((run) => run.length > 1).map((run) => `M${run.map((i) => `${x(days[i])} ${y(high[i])}`).join("L")}L${run.toReversed().map((i) => `${x(days[i])} ${y(low[i])}`).join("L")}Z`).join("");
  }

  function axes() {
    const [across, up] = plot.axes;
    (across._splits ?? []).forEach((v, i) => {
      if (told.kind !== "heat") line(x(v), top, x(v), bottom, "faint");
      const label = across._values?.[i];
      if (label !== null && label !== undefined && label !== "") text(x(v), bottom + 16, label);
    });
    (up._splits ?? []).forEach((v, i) => {
      if (told.kind !== "heat") line(left, y(v), right, y(v), "faint");
      const label = up._values?.[i];
      if (label !== null && label !== undefined && label !== "") text(left - 6, y(v) + 4, label, "end");
    });
    text((left + right) / 2, bottom + 36, across.label ?? "");
    if (up.label) text(14, (top + bottom) / 2, up.label, "middle", `transform="rotate(-90 14 ${round((top + bottom) / 2)})"`);
  }

  function heat() {
    const days = told.x.length, w = width / days, h = height / told.rows.length;
    told.grades.forEach((row, r) => row.forEach((grade, d) => {
      const fill = grade < 0 ? `fill="${token("soft")}" fill-opacity="0.25"` : `fill="${grades[Math.min(grade, 5)]}"`;
      out.push(`<rect x="${round(left + d * w)}" y="${round(top + r * h)}" width="${round(w + 0.3)}" height="${round(h)}" ${fill}/>`);
    }));
  }

  function curves() {
    for (const one of told.bands) out.push(`<path d="${area(told.x, one.low, one.high)}" fill="${token(one.color)}" fill-opacity="0.18"><title>${escaped(one.name)}</title></path>`);
    for (const one of told.curves) out.push(`<path d="${path(told.x, one.y)}" fill="none" stroke="${token(one.color)}" stroke-width="${one.name ? 2 : 0.8}"${one.name ? "" : ' stroke-opacity="0.3"'}><title>${escaped(one.name)}</title></path>`);
    for (const one of told.levels) {
      line(left, y(one.value), right, y(one.value), "soft", 'stroke-dasharray="6 4"');
      text(right - 4, y(one.value) - 4, one.label, "end", `stroke="${token("paper")}" stroke-width="3" paint-order="stroke"`);
    }
    for (const one of told.points) one.x.forEach((day, i) => {
      if (!shown(one.y[i])) return;
      const at = x(day), up = y(one.y[i]), color = token(one.color);
      out.push(one.below[i] ? `<path d="M${at - 4} ${up - 4}h8l-4 8z" fill="none" stroke="${color}" stroke-width="1.5"/>` : `<circle cx="${at}" cy="${up}" r="4" fill="${color}"/>`);
    });
  }

  axes();
  out.push(`<g clip-path="url(#within)">`);
  if (told.kind === "heat") heat(); else curves();
  for (const one of told.events ?? []) {
    line(x(one.day), top, x(one.day), bottom, "vermilion");
    text(x(one.day) + 4, top + 13, one.label, "start");
  }
  out.push("</g>");
  const key = told.kind === "heat" ? grades.map((color, grade) => [color, String(grade), 1]) : [...told.curves, ...told.bands, ...told.points].filter((one) => one.name).map((one) => [token(one.color), one.name, "low" in one ? 0.3 : 1]);
  const rows = key.map(([color, name, share], i) => `<g transform="translate(${round(left)} ${plot.height + 8 + 18 * i})"><rect width="16" height="8" y="-8" fill="${color}" fill-opacity="${share}"/><text x="22" fill="${token("ink")}">${escaped(name)}</text></g>`);
  const whole = plot.height + 8 + 18 * key.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${plot.width}" height="${HEAD + whole}" viewBox="0 ${-HEAD} ${plot.width} ${HEAD + whole}" font-family="${escaped(token("font"))}" font-size="12">`
    + `<rect y="${-HEAD}" width="100%" height="100%" fill="${token("paper")}"/><clipPath id="within"><rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${round(height)}"/></clipPath>`
    + `<text x="8" y="-9" font-size="14" font-weight="600" fill="${token("ink")}">${escaped(told.title)} [${escaped(told.origin)}]</text>${out.join("")}${rows.join("")}</svg>`;
}
