"use strict";

/* Draws each chart's table with uPlot. The tables are there without this file. */
(() => {
  const root = document.getElementById("charts");
  if (!root) {
    return;
  }
  const HEIGHT = 190;
  const SYNC = "charts";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const clock = (second) => new Date(second * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

  function bytes(value) {
    const steps = [["GB", 2 ** 30], ["MB", 2 ** 20], ["KB", 2 ** 10]];
    const [unit, step] = steps.find(([, step]) => value >= step) ?? ["B", 1];
    return `${Number((value / step).toFixed(1))} ${unit}`;
  }

  const TICKS = {
    count: (value) => value.toLocaleString("en"),
    share: (value) => `${Math.round(value * 100)} %`,
    bytes,
  };

  /* Steps between ticks that are whole in the unit that they are told in. */
  const tens = [1, 10, 100].flatMap((ten) => [ten, 2 * ten, 5 * ten]);
  const STEPS = {
    count: [...tens, ...tens.map((step) => step * 1e3), ...tens.map((step) => step * 1e6)],
    share: [0.25, 0.5],
    bytes: [1, 2 ** 10, 2 ** 20, 2 ** 30].flatMap((unit) => tens.map((step) => step * unit)),
  };

  /* What a chart's table says: a column of seconds, then one for each line, oldest first. */
  function read(figure) {
    const heads = [...figure.querySelectorAll("thead th.num")];
    const rows = [...figure.querySelectorAll("tbody tr")].reverse();
    const cells = rows.map((row) => [...row.querySelectorAll("td.num")]);
    const column = (pick) => heads.map((_, line) => cells.map((row) => pick(row[line])));
    return {
      unit: figure.dataset.unit,
      lines: heads.map((head) => ({ name: head.textContent, kind: head.dataset.kind, place: head.dataset.place })),
      data: [
        rows.map((row) => Number(row.dataset.second)),
        ...column((cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value))),
      ],
      texts: column((cell) => cell.textContent),
      levels: marked(figure, ".level"),
      marks: marked(figure, ".mark"),
    };
  }

  function marked(figure, selector) {
    return [...figure.querySelectorAll(selector)].map((mark) => ({ at: Number(mark.value), text: mark.textContent }));
  }

  function highest(chart) {
    const values = chart.data.slice(1).flat().filter((value) => value !== null);
    return Math.max(0, ...values, ...chart.levels.map((level) => level.at));
  }

  function options(chart, width) {
    const axis = {
      stroke: colour("ink-quiet"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: `12px ${colour("sans")}`,
    };
    return {
      width,
      height: HEIGHT,
      /* Half of a time beside the last minute. */
      padding: [14, 18, 0, 0],
      cursor: { sync: { key: SYNC }, y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: (_, from, to) => [from, to] },
        y: { range: () => (chart.unit === "share" ? [0, 1] : [0, Math.max(1, highest(chart) * 1.15)]) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 30, gap: 8, space: 60, values: (_, seconds) => seconds.map(clock) },
        { ...axis, size: 62, gap: 6, space: 30, incrs: STEPS[chart.unit], values: (_, ticks) => ticks.map(TICKS[chart.unit]) },
      ],
      series: [
        { label: "Minute", value: (plot, second) => clock(second ?? plot.data[0].at(-1)) },
        ...chart.lines.map((line, place) => series(chart, line, place)),
      ],
      legend: { markers: { width: 0, fill: (plot, line) => plot.series[line].stroke() } },
      /* Under the lines: a text across one would look like a gap in it. */
      hooks: { drawAxes: [(plot) => drawMarks(plot, chart)] },
    };
  }

  /* Nodes have the colours of their places; among them the pool has none. */
  function ink(chart, line) {
    if (line.kind === "all") {
      return chart.lines.some((other) => other.kind === "node") ? "ink" : "accent";
    }
    return line.place ? `place-${line.place}` : "ink-quiet";
  }

  function series(chart, line, place) {
    const isOwn = place === 0;
    const isStepped = chart.lines.some((other) => other.kind === "wished");
    const stroke = colour(ink(chart, line));
    return {
      label: line.name,
      stroke,
      width: isOwn ? 2 : 1.5,
      dash: line.kind === "wished" ? [6, 4] : undefined,
      spanGaps: false,
      paths: isStepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      /* A minute between two gaps is a point. */
      points: {
        size: isOwn ? 5 : 4,
        fill: stroke,
        show: (plot, line) => lonely(plot.data[line]).length > 0,
        filter: (plot, line, isShown) => (isShown ? lonely(plot.data[line]) : null),
      },
      /* The newest while nobody hovers. */
      value: (_, value, line, at) => chart.texts[line - 1].at(at ?? -1),
    };
  }

  function lonely(values) {
    const isGap = (at) => (values[at] ?? null) === null;
    return [...values.keys()].filter((at) => !isGap(at) && isGap(at - 1) && isGap(at + 1));
  }

  /* Levels across, resizes downwards; both with their text. */
  function drawMarks(plot, chart) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * scale}px ${colour("sans")}`;
    ctx.lineWidth = scale;
    ctx.setLineDash([4 * scale, 4 * scale]);
    for (const level of chart.levels) {
      const y = Math.round(plot.valToPos(level.at, "y", true));
      ctx.strokeStyle = ctx.fillStyle = colour("warn");
      line(ctx, bbox.left, y, bbox.left + bbox.width, y);
      ctx.textAlign = "right";
      write(ctx, level.text, bbox.left + bbox.width, y - 5 * scale, scale);
    }
    ctx.strokeStyle = ctx.fillStyle = colour("ink-quiet");
    for (const near of together(plot, chart.marks, 56 * scale)) {
      near.forEach(({ x }) => line(ctx, x, bbox.top, x, bbox.top + bbox.height));
      const { x, text } = near.at(-1);
      const isAtEnd = x > bbox.left + bbox.width - 28 * scale;
      ctx.textAlign = isAtEnd ? "right" : "center";
      ctx.fillText(near.length === 1 ? text : `${near.length} resizes`, x, bbox.top - 4 * scale);
    }
    ctx.restore();
  }

  /* Marks with their places, those whose texts would meet in one group. */
  function together(plot, marks, width) {
    const groups = [];
    for (const { at, text } of marks.toSorted((a, b) => a.at - b.at)) {
      const x = Math.round(plot.valToPos(at, "x", true));
      const last = groups.at(-1);
      if (last && x - last.at(-1).x < width) {
        last.push({ x, text });
      } else {
        groups.push([{ x, text }]);
      }
    }
    return groups;
  }

  /* Text that can be read over a grid. */
  function write(ctx, text, x, y, scale) {
    const ink = ctx.fillStyle;
    const width = ctx.measureText(text).width;
    ctx.fillStyle = colour("surface");
    ctx.fillRect(x - width - 3 * scale, y - 10 * scale, width + 3 * scale, 13 * scale);
    ctx.fillStyle = ink;
    ctx.fillText(text, x, y);
  }

  function line(ctx, fromX, fromY, toX, toY) {
    ctx.beginPath();
    ctx.moveTo(fromX, fromY);
    ctx.lineTo(toX, toY);
    ctx.stroke();
  }

  function draw(figure) {
    const place = figure.querySelector(".plot");
    if (!place) {
      return;
    }
    drawn.get(figure.id)?.destroy();
    const chart = read(figure);
    drawn.set(figure.id, new uPlot(options(chart, place.clientWidth), chart.data, place));
  }

  function drawAll() {
    for (const [id, plot] of drawn) {
      plot.destroy();
      drawn.delete(id);
    }
    root.querySelectorAll(".chart").forEach(draw);
  }

  /* Values that somebody has opened stay open. */
  function show(part) {
    const open = [...root.querySelectorAll("details[open]")].map((details) => details.closest(".chart").id);
    const focused = document.activeElement?.closest?.(".chart")?.id;
    localise(part);
    for (const figure of part.querySelectorAll(".chart")) {
      figure.querySelector("details").open = open.includes(figure.id);
    }
    root.replaceChildren(part);
    drawAll();
    if (focused) {
      document.querySelector(`#${focused} summary`)?.focus();
    }
  }

  async function refresh() {
    const text = await ask(root.dataset.address);
    const part = text === null ? null : parsed(text);
    if (!part) {
      return undefined;
    }
    /* While CloudWatch has not answered, what was drawn before says more. */
    if (!part.dataset.waiting || root.firstElementChild?.dataset.waiting) {
      show(part);
    }
    return pause(part);
  }

  const pause = (part) => Number(part?.dataset.next ?? 5) * 1000;

  drawAll();
  repeat(refresh, pause(root.firstElementChild));
  dark.addEventListener("change", drawAll);
  let width = root.clientWidth;
  new ResizeObserver(() => {
    if (root.clientWidth !== width) {
      width = root.clientWidth;
      for (const [id, plot] of drawn) {
        const place = document.querySelector(`#${id} .plot`);
        plot.setSize({ width: place.clientWidth, height: HEIGHT });
      }
    }
  }).observe(root);
})();
