// The same drawing by each candidate: 200 curves of 400 points on a logarithmic axis, a band, event marks; a heat map.
// Each function draws into an element of 900 x 420 px and returns what must be read back for the drawing to be done.
"use strict";

const CURVES = 200, POINTS = 400, DAYS = 60, PATIENTS = 200;
const EVENTS = [["infusion", 0], ["tocilizumab", 4], ["dexamethasone", 6]];

function randoms(seed) {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296;
}

function courses() {
  const next = randoms(7), x = Array.from({ length: POINTS }, (_, i) => (i * 100) / POINTS), all = [];
  for (let c = 0; c < CURVES; c++) {
    const peak = 9 + 4 * next(), height = 10 ** (2 + 2 * next()), fall = 0.02 + 0.2 * next();
    all.push(x.map((t) => (t < peak ? height * Math.exp(-0.8 * (peak - t)) : height * Math.exp(-fall * (t - peak))) + 1e-3));
  }
  const sorted = x.map((_, i) => all.map((one) => one[i]).sort((a, b) => a - b));
  const at = (share) => sorted.map((values) => values[Math.floor(share * (CURVES - 1))]);
  const grades = Array.from({ length: PATIENTS }, () => Array.from({ length: DAYS }, () => Math.floor(next() * 5)));
  return { x, all, low: at(0.05), high: at(0.95), grades };
}

const GRADE = ["#f2f2ee", "#c7d7e8", "#8fb3d1", "#d98c5f", "#a63d2f"];

const candidates = {
  uplot: {
    curves(host, d) {
      const series = [{}, { stroke: "transparent" }, { stroke: "transparent" }];
      for (let i = 0; i < CURVES; i++) series.push({ stroke: "#33669944", width: 1, points: { show: false } });
      const plot = new uPlot({
        width: 900, height: 420, series, legend: { show: false }, cursor: { show: false },
        bands: [{ series: [1, 2], fill: "#33669933" }], scales: { x: { time: false }, y: { distr: 3 } },
        hooks: { draw: [(u) => EVENTS.forEach(([label, day]) => {
          const at = u.valToPos(day, "x", true);
          u.ctx.fillStyle = "#a63d2f"; u.ctx.fillRect(at, u.bbox.top, 1, u.bbox.height); u.ctx.fillText(label, at + 3, u.bbox.top + 12);
        })] },
      }, [d.x, d.high, d.low, ...d.all], host);
      return new Promise((done) => queueMicrotask(() => done(plot.ctx.getImageData(0, 0, 1, 1))));
    },
    heat(host, d) {
      const plot = new uPlot({
        width: 900, height: 420, legend: { show: false }, cursor: { show: false },
        scales: { x: { time: false, range: [0, DAYS] }, y: { range: [0, PATIENTS] } }, series: [{}, { paths: () => null, points: { show: false } }],
        hooks: { draw: [(u) => {
          const w = u.bbox.width / DAYS, h = u.bbox.height / PATIENTS;
          d.grades.forEach((row, p) => row.forEach((g, day) => {
            u.ctx.fillStyle = GRADE[g]; u.ctx.fillRect(u.bbox.left + day * w, u.bbox.top + p * h, w + 0.5, h + 0.5);
          }));
        }] },
      }, [[0, DAYS], [0, PATIENTS]], host);
      return new Promise((done) => queueMicrotask(() => done(plot.ctx.getImageData(0, 0, 1, 1))));
    },
  },
  "uplot, one path": { // as static/own/charts.js draws thin curves: all of one color in one path
    curves(host, d) {
      const plot = new uPlot({
        width: 900, height: 420, series: [{}, { stroke: "transparent" }, { stroke: "transparent" }], legend: { show: false }, cursor: { show: false },
        bands: [{ series: [1, 2], fill: "#33669933" }], scales: { x: { time: false }, y: { distr: 3 } },
        hooks: { drawAxes: [(u) => {
          const x = d.x.map((t) => u.valToPos(t, "x", true)), from = Math.log10(u.scales.y.min), span = Math.log10(u.scales.y.max) - from, path = new Path2D();
          for (const y of d.all) for (let i = 0; i < x.length; i++) {
            const at = u.bbox.top + u.bbox.height * (1 - (Math.log10(y[i]) - from) / span);
            if (i) path.lineTo(x[i], at); else path.moveTo(x[i], at);
          }
          u.ctx.strokeStyle = "#33669944"; u.ctx.lineWidth = 0.8; u.ctx.stroke(path);
        }] },
      }, [d.x, d.high, d.low], host);
      return new Promise((done) => queueMicrotask(() => done(plot.ctx.getImageData(0, 0, 1, 1))));
    },
    heat(host, d) {
      const plot = new uPlot({
        width: 900, height: 420, legend: { show: false }, cursor: { show: false },
        scales: { x: { time: false, range: [0, DAYS] }, y: { range: [0, PATIENTS] } }, series: [{}, { paths: () => null, points: { show: false } }],
        hooks: { draw: [(u) => {
          const w = u.bbox.width / DAYS, h = u.bbox.height / PATIENTS, paths = GRADE.map(() => new Path2D());
          d.grades.forEach((row, p) => row.forEach((g, day) => paths[g].rect(u.bbox.left + day * w, u.bbox.top + p * h, w, h)));
          paths.forEach((path, g) => { u.ctx.fillStyle = GRADE[g]; u.ctx.fill(path); });
        }] },
      }, [[0, DAYS], [0, PATIENTS]], host);
      return new Promise((done) => queueMicrotask(() => done(plot.ctx.getImageData(0, 0, 1, 1))));
    },
  },
  echarts: {
    curves: (host, d) => withEcharts(host, {
      animation: false, xAxis: { type: "value" }, yAxis: { type: "log" },
      series: [
        { type: "line", data: d.x.map((t, i) => [t, d.low[i]]), symbol: "none", lineStyle: { opacity: 0 } },
        { type: "custom", renderItem: bandOf(d), data: [0], silent: true },
        ...d.all.map((one) => ({ type: "line", showSymbol: false, silent: true, lineStyle: { width: 1, opacity: 0.3 }, data: one.map((v, i) => [d.x[i], v]) })),
        { type: "line", data: [], markLine: { symbol: "none", data: EVENTS.map(([name, xAxis]) => ({ name, xAxis })) } },
      ],
    }),
    heat: (host, d) => withEcharts(host, {
      animation: false, xAxis: { type: "category" }, yAxis: { type: "category" },
      visualMap: { min: 0, max: 4, show: false, inRange: { color: GRADE } },
      series: [{ type: "heatmap", silent: true, data: d.grades.flatMap((row, p) => row.map((g, day) => [day, p, g])) }],
    }),
  },
  plot: {
    curves(host, d) {
      const band = d.x.map((x, i) => ({ x, low: d.low[i], high: d.high[i] }));
      const points = d.all.flatMap((one, z) => one.map((y, i) => ({ x: d.x[i], y, z })));
      const svg = Plot.plot({
        width: 900, height: 420, y: { type: "log" },
        marks: [
          Plot.areaY(band, { x: "x", y1: "low", y2: "high", fill: "#336699", fillOpacity: 0.2 }),
          Plot.line(points, { x: "x", y: "y", z: "z", stroke: "#336699", strokeOpacity: 0.3 }),
          Plot.ruleX(EVENTS, { x: "1", stroke: "#a63d2f" }), Plot.text(EVENTS, { x: "1", text: "0", frameAnchor: "top" }),
        ],
      });
      host.append(svg);
      return svg.getBoundingClientRect();
    },
    heat(host, d) {
      const cells = d.grades.flatMap((row, p) => row.map((g, day) => ({ day, p, g })));
      const svg = Plot.plot({ width: 900, height: 420, x: { axis: null }, y: { axis: null }, color: { range: GRADE, domain: [0, 1, 2, 3, 4], type: "ordinal" }, marks: [Plot.cell(cells, { x: "day", y: "p", fill: "g" })] });
      host.append(svg);
      return svg.getBoundingClientRect();
    },
  },
  plotly: {
    async curves(host, d) {
      await Plotly.newPlot(host, [
        { x: d.x, y: d.low, mode: "lines", line: { width: 0 } }, { x: d.x, y: d.high, mode: "lines", fill: "tonexty", line: { width: 0 } },
        ...d.all.map((y) => ({ x: d.x, y, mode: "lines", hoverinfo: "skip", line: { width: 1, color: "#33669944" } })),
      ], { width: 900, height: 420, showlegend: false, yaxis: { type: "log" }, shapes: EVENTS.map(([, x]) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1 })) }, { staticPlot: true });
      return host.getBoundingClientRect();
    },
    heat: null, // the basic bundle has no heat map
  },
};

function bandOf(d) {
  return (params, api) => ({
    type: "polygon", style: { fill: "#33669933" },
    shape: { points: [...d.x.map((t, i) => api.coord([t, d.high[i]])), ...d.x.map((t, i) => api.coord([t, d.low[i]])).reverse()] },
  });
}

function withEcharts(host, option) {
  host.style.width = "900px"; host.style.height = "420px";
  const chart = echarts.init(host);
  chart.setOption(option);
  chart.getZr().flush();
  return host.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
}

async function measured(name, what, times) {
  const data = courses(), draw = candidates[name][what], host = document.getElementById("host"), took = [], framed = [];
  if (!draw) return null;
  for (let i = 0; i < times; i++) {
    host.replaceChildren();
    const here = host.appendChild(document.createElement("div"));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
    const begun = performance.now();
    await draw(here, data);
    took.push(performance.now() - begun);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    framed.push(performance.now() - begun);
  }
  return { first: took[0], took: took.slice(2), framed: framed.slice(2) };
}
