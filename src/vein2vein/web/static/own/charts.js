// Charts from the JSON beside them: curves, bands, points, events and levels over days, or grades by row and day.
// Thin curves are one path for each color, so that hundreds cost little; colors are those of the page, light or dark.
"use strict";
(() => {
  const drawn = new Map(); // figure -> uPlot
  const GRADES = ["#eef1f4", "#fcd271", "#f28a1b", "#bb3754", "#4a0c5c", "#000004"];
  const SVG = document.currentScript.dataset.svg; // loaded when somebody saves a drawing
  const HEIGHT = 320, ROW = 16, LABELS = 150;

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (name, share) => `color-mix(in srgb, ${token(name)} ${Math.round(100 * share)}%, transparent)`;

  function draw(figure) {
    const told = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    const host = figure.querySelector(".chart");
    host.replaceChildren();
    drawn.set(figure, told.kind === "heat" ? heat(host, told) : curves(host, told));
  }

  function frame(host, told, height, more) {
    const axis = { stroke: token("soft"), grid: { stroke: token("faint"), width: 1 }, ticks: { stroke: token("faint") }, font: `12px ${token("font")}`, labelFont: `12px ${token("font")}` };
    return {
      width: Math.max(host.clientWidth, 240), height, ms: 1, pxAlign: false,
      cursor: { drag: { x: true, y: false } }, select: { show: true },
      ...more(axis),
    };
  }

  function curves(host, told) {
    const usable = (v) => (v === null || (told.logarithmic && v <= 0) ? null : v);
    const named = told.curves.filter((one) => one.name), thin = told.curves.filter((one) => !one.name);
    const data = [told.x], series = [{ label: told.x_label }], bands = [];
    for (const one of told.bands) {
      for (const [side, y] of [["high", one.high], ["low", one.low]]) {
        data.push(y.map(usable));
        series.push({ label: `${one.name}, ${side}`, stroke: faded(one.color, 0.35), width: 0.5, points: { show: false } });
      }
      bands.push({ series: [data.length - 2, data.length - 1], fill: faded(one.color, 0.18) });
    }
    for (const one of named) {
      data.push(one.y.map(usable));
      series.push({ label: one.name, stroke: token(one.color), width: 2, points: { show: false } });
    }
    if (data.length === 1) {
      data.push(told.x.map(() => null));
      series.push({ label: told.y_label, points: { show: false } });
    }
    const all = [...data.slice(1), ...thin.map((one) => one.y), ...told.points.map((one) => one.y), told.levels.map((one) => one.value)];
    let low = Infinity, high = -Infinity;
    for (const y of all) for (const v of y) if (v !== null && (!told.logarithmic || v > 0)) { if (v < low) low = v; if (v > high) high = v; }
    if (!(low <= high)) [low, high] = told.logarithmic ? [1, 10] : [0, 1];
    low = told.floor ?? low;
    high = told.ceiling ?? high;
    if (!told.logarithmic) { const room = 0.05 * (high - low || 1); low -= told.floor === null ? room : 0; high += told.ceiling === null ? room : 0; }
    const unit = told.unit === "1" ? "" : ` (${told.unit})`;
    const options = frame(host, told, HEIGHT, (axis) => ({
      series, bands,
      scales: { x: { time: false }, y: told.logarithmic ? { distr: 3, range: (u) => uPlot.rangeLog(low, high, 10, false) } : { range: [low, high] } },
      axes: [{ ...axis, label: told.x_label }, { ...axis, label: told.y_label + unit, size: 64 }],
      legend: { show: series.length <= 9 },
      hooks: { drawAxes: [(u) => strokes(u, thin)], draw: [(u) => { levels(u, told.levels); points(u, told.points, usable); events(u, told.events); }] },
    }));
    return new uPlot(options, data, host);
  }

  function inside(u, what) {
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    u.ctx.clip();
    what(u.ctx);
    u.ctx.restore();
  }

  function strokes(u, thin) {
    if (!thin.length) return;
    const x = u.data[0].map((t) => u.valToPos(t, "x", true)), log = u.scales.y.distr === 3;
    const { min, max } = u.scales.y, top = u.bbox.top, height = u.bbox.height;
    const from = log ? Math.log10(min) : min, span = (log ? Math.log10(max) : max) - from;
    const paths = new Map();
    for (const one of thin) {
      const path = paths.get(one.color) ?? new Path2D();
      paths.set(one.color, path);
      let pen = false;
      for (let i = 0; i < x.length; i++) {
        const v = one.y[i];
        if (v === null || (log && v <= 0)) { pen = false; continue; }
        const y = top + height * (1 - ((log ? Math.log10(v) : v) - from) / span);
        if (pen) path.lineTo(x[i], y); else path.moveTo(x[i], y);
        pen = true;
      }
    }
    inside(u, (ctx) => {
      ctx.lineWidth = 0.8 * devicePixelRatio;
      for (const [color, path] of paths) { ctx.strokeStyle = faded(color, 0.3); ctx.stroke(path); }
    });
  }

  function points(u, given, usable) {
    inside(u, (ctx) => {
      for (const one of given) {
        ctx.fillStyle = ctx.strokeStyle = token(one.color);
        ctx.lineWidth = 1.5 * devicePixelRatio;
        one.x.forEach((t, i) => {
          const v = usable(one.y[i]);
          if (v === null) return;
          const x = u.valToPos(t, "x", true), y = u.valToPos(v, "y", true), r = 4 * devicePixelRatio;
          ctx.beginPath();
          if (one.below[i]) { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y - r); ctx.lineTo(x, y + r); ctx.closePath(); ctx.stroke(); }
          else { ctx.arc(x, y, r, 0, 2 * Math.PI); ctx.fill(); }
        });
      }
    });
  }

  // Words on a chart: above their line, with a rim of the paper's color where curves run behind them.
  function written(ctx, text, x, y) {
    ctx.textBaseline = "alphabetic";
    ctx.setLineDash([]);
    ctx.lineJoin = "round";
    ctx.lineWidth = 3 * devicePixelRatio;
    ctx.strokeStyle = token("paper");
    ctx.strokeText(text, x, y);
    ctx.fillText(text, x, y);
  }

  function levels(u, given) {
    inside(u, (ctx) => {
      ctx.font = `${11 * devicePixelRatio}px ${token("font")}`;
      for (const one of given) {
        const y = u.valToPos(one.value, "y", true);
        ctx.strokeStyle = ctx.fillStyle = token("soft");
        ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        ctx.beginPath(); ctx.moveTo(u.bbox.left, y); ctx.lineTo(u.bbox.left + u.bbox.width, y); ctx.stroke();
        ctx.textAlign = "right";
        written(ctx, one.label, u.bbox.left + u.bbox.width - 4, y - 4 * devicePixelRatio);
      }
    });
  }

  function events(u, given) {
    inside(u, (ctx) => {
      const line = 13 * devicePixelRatio, ends = [];
      ctx.font = `${11 * devicePixelRatio}px ${token("font")}`;
      ctx.textAlign = "left";
      for (const one of given) {
        const x = u.valToPos(one.day, "x", true);
        if (x < u.bbox.left - 1 || x > u.bbox.left + u.bbox.width + 1) continue;
        ctx.strokeStyle = ctx.fillStyle = token("vermilion");
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([]);
        ctx.beginPath(); ctx.moveTo(x, u.bbox.top); ctx.lineTo(x, u.bbox.top + u.bbox.height); ctx.stroke();
        let row = 0;
        while (ends[row] !== undefined && ends[row] > x) row++;
        ends[row] = x + ctx.measureText(one.label).width + 10 * devicePixelRatio;
        written(ctx, one.label, x + 4 * devicePixelRatio, u.bbox.top + line * (row + 1));
      }
    });
  }

  function heat(host, told) {
    const rows = told.rows.length, days = told.x.length, step = days > 1 ? told.x[1] - told.x[0] : 1;
    const labelled = rows <= 60, height = 60 + Math.max(120, Math.min(rows * (labelled ? ROW : 2), 640));
    const options = frame(host, told, height, (axis) => ({
      legend: { show: false }, cursor: { show: false },
      series: [{}, { paths: () => null, points: { show: false } }],
      scales: { x: { time: false, range: [told.x[0], told.x[days - 1] + step] }, y: { range: [0, rows] } },
      axes: [{ ...axis, label: told.x_label, grid: { show: false } }, {
        ...axis, size: labelled ? LABELS : 50, grid: { show: false }, ticks: { show: false },
        splits: labelled ? () => told.rows.map((_, i) => rows - i - 0.5) : undefined,
        values: (u, at) => at.map((v) => (labelled ? told.rows[Math.round(rows - v - 0.5)] : rows - v)),
      }],
      hooks: { draw: [(u) => { cells(u, told, rows, days); events(u, told.events); }] },
    }));
    return new uPlot(options, [[told.x[0], told.x[days - 1] + step], [0, rows]], host);
  }

  function cells(u, told, rows, days) {
    const w = u.bbox.width / days, h = u.bbox.height / rows, missing = faded("soft", 0.25);
    const paths = GRADES.map(() => new Path2D()), unknown = new Path2D();
    told.grades.forEach((row, r) => {
      let from = 0;
      for (let d = 1; d <= days; d++) { // a run of equal grades is one rectangle
        if (d < days && row[d] === row[from]) continue;
        const grade = row[from];
        (grade < 0 ? unknown : paths[Math.min(grade, 5)]).rect(u.bbox.left + from * w, u.bbox.top + r * h, (d - from) * w, h);
        from = d;
      }
    });
    inside(u, (ctx) => {
      paths.forEach((path, grade) => { ctx.fillStyle = GRADES[grade]; ctx.fill(path); });
      ctx.fillStyle = missing;
      ctx.fill(unknown);
    });
  }

  async function save(figure, as) {
    const told = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    if (as === "svg") {
      const { drawing } = await import(SVG);
      return hand(new Blob([drawing(drawn.get(figure), told, token, GRADES)], { type: "image/svg+xml" }), `${told.id}.svg`);
    }
    if (as === "csv") return hand(new Blob([table(told)], { type: "text/csv" }), `${told.id}.csv`);
    const from = drawn.get(figure).ctx.canvas, to = document.createElement("canvas"), head = 28 * devicePixelRatio;
    to.width = from.width; to.height = from.height + head;
    const ctx = to.getContext("2d");
    ctx.fillStyle = token("paper"); ctx.fillRect(0, 0, to.width, to.height);
    ctx.fillStyle = token("ink"); ctx.font = `600 ${14 * devicePixelRatio}px ${token("font")}`;
    ctx.fillText(`${told.title} [${told.origin}]`, 8 * devicePixelRatio, 19 * devicePixelRatio);
    ctx.drawImage(from, 0, head);
    to.toBlob((blob) => hand(blob, `${told.id}.png`));
  }

  function table(told) {
    const cell = (v) => (v === null ? "" : /[",\n]|^[=+@]/.test(String(v)) && typeof v === "string" ? `"${v.replace(/"/g, '""').replace(/^([=+@])/, "'$1")}"` : v);
    if (told.kind === "heat") return [["row", ...told.x], ...told.rows.map((name, r) => [name, ...told.grades[r]])].map((row) => row.map(cell).join(",")).join("\n");
    const unit = told.unit === "1" ? "" : ` (${told.unit})`, head = [told.x_label], columns = [told.x];
    for (const one of told.bands) { head.push(`${one.name}, low${unit}`, `${one.name}, high${unit}`); columns.push(one.low, one.high); }
    told.curves.forEach((one, i) => { head.push((one.name || `curve ${i + 1}`) + unit); columns.push(one.y); });
    return [head, ...told.x.map((_, i) => columns.map((y) => y[i]))].map((row) => row.map(cell).join(",")).join("\n");
  }

  function hand(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function look() {
    for (const [figure, plot] of drawn) if (!figure.isConnected) { plot.destroy(); drawn.delete(figure); }
    for (const figure of document.querySelectorAll("figure[data-chart]")) if (!drawn.has(figure)) { draw(figure); sizes.observe(figure); }
  }

  const sizes = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      const plot = drawn.get(target), width = target.querySelector(".chart")?.clientWidth;
      if (plot && width && Math.abs(plot.width - width) > 2) plot.setSize({ width, height: plot.height });
    }
  });
  const again = () => { for (const figure of drawn.keys()) { drawn.get(figure).destroy(); draw(figure); } };

  document.addEventListener("DOMContentLoaded", look);
  document.addEventListener("htmx:after:swap", look);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  matchMedia("print").addEventListener("change", again);
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-save]");
    if (button) save(button.closest("figure"), button.dataset.save);
  });
})();
