// @ts-check
"use strict";
// Charts on canvas over one shared time axis: lines, steps, areas, bands, marks, links; crosshair, zoom, pan.
// Points are reduced to the pixels that show them, so that a chart of 100,000 points draws in milliseconds.

/** @typedef {{name: string, color: string, kind?: "line"|"step"|"area"|"band", xs: number[], ys: number[], lows?: number[],
 *   highs?: number[], quiet?: boolean, text?: (value: number) => string}} Series  times in ms, rising */
/** @typedef {{x: number, y: number, shape: "up"|"down"|"dot", color: string, item: any}} Mark */
/** @typedef {{x1: number, y1: number, x2: number, y2: number, color: string}} Link */
/** @typedef {{y: number, color: string, text: string, from?: number, to?: number}} Rule  a price across the chart */
/** @typedef {{from: number, to: number, color: string, item?: any, row?: number}} Span  a time that is shaded, or one bar of a row */

const DAY_MS = 86400000;
const NICE_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 900000,
  1800000, 3600000, 7200000, 10800000, 21600000, 43200000, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS, 91 * DAY_MS, 365 * DAY_MS];

const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const clock = { local: false };

/** @param {number} ms @param {number} [step] what lies between two labels */
function timeText(ms, step) {
  const at = new Date(clock.local ? ms - new Date(ms).getTimezoneOffset() * 60000 : ms);
  const iso = isFinite(ms) ? at.toISOString() : "";
  if (step === undefined) return iso.slice(0, 10) + " " + iso.slice(11, 23);
  if (step >= DAY_MS) return iso.slice(5, 10);
  if (step >= 60000) return iso.slice(11, 16);
  return step >= 1000 ? iso.slice(11, 19) : iso.slice(14, 23);
}

/** Return values for labels between low and high, about `count` of them. @param {number} low @param {number} high @param {number} count */
function niceTicks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return { ticks: [low], step: 1 };
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 2.5, 5, 10].map((nice) => nice * power).find((nice) => nice >= raw) || 10 * power;
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) ticks.push(index * step);
  return { ticks, step };
}

/** @param {number} value @param {number} step */
function numberText(value, step) {
  const digits = Math.min(10, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (/^25/.test(String(step).replace(/^0\.0*/, "")) ? 1 : 0)));
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return value < -step * 1e-6 ? "\u2212" + text : text;
}

/** Return the first index whose x is not below `x`. @param {number[]} xs @param {number} x */
function lowerBound(xs, x) {
  let low = 0, high = xs.length;
  while (low < high) { const middle = (low + high) >> 1; if (xs[middle] < x) low = middle + 1; else high = middle; }
  return low;
}

class Axis {
  /** One time range for all charts of a page. @param {number} from @param {number} to */
  constructor(from, to) {
    this.whole = [from, to > from ? to : from + 1];
    this.from = this.whole[0]; this.to = this.whole[1];
    /** @type {number|null} */ this.hover = null;
    /** @type {Chart[]} */ this.charts = [];
    this.waiting = false;
  }
  /** @param {number} from @param {number} to */
  show(from, to) {
    const [first, last] = this.whole;
    const width = Math.min(last - first, Math.max(to - from, Math.min(2, last - first)));
    this.from = Math.min(Math.max(from, first), last - width);
    this.to = this.from + width;
    this.redraw();
  }
  reset() { this.show(this.whole[0], this.whole[1]); }
  /** @param {number} at @param {number} factor */
  zoom(at, factor) { this.show(at - (at - this.from) * factor, at + (this.to - at) * factor); }
  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; for (const chart of this.charts) chart.draw(); });
  }
}

class Chart {
  /**
   * @param {HTMLElement} place
   * @param {Axis} axis
   * @param {{height: number, label: string, series?: Series[], marks?: Mark[], links?: Link[], rules?: Rule[], spans?: Span[], rows?: string[],
   *   zero?: boolean, text?: (value: number) => string, tip?: (item: any) => string, times?: boolean, pick?: (item: any) => void}} what
   */
  constructor(place, axis, what) {
    this.axis = axis; this.what = what;
    this.legend = document.createElement("div"); this.legend.className = "legend";
    const box = document.createElement("div"); box.className = "chart";
    this.canvas = document.createElement("canvas");
    this.picture = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img"); this.canvas.setAttribute("aria-label", what.label);
    this.canvas.style.height = what.height + "px";
    box.append(this.canvas); place.append(this.legend, box);
    /** @type {{x: number, now: number, pan: boolean, from: number, to: number}|null} */ this.drag = null;
    /** @type {Map<number, number>} */ this.touches = new Map();
    /** @type {{x: number, y: number}|null} */ this.mouse = null;
    axis.charts.push(this);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(box);
  }

  listen() {
    const canvas = this.canvas, axis = this.axis;
    const at = (/** @type {PointerEvent|WheelEvent|MouseEvent} */ event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointermove", (event) => {
      const x = at(event);
      if (this.touches.has(event.pointerId)) {
        const before = [...this.touches.values()];
        this.touches.set(event.pointerId, x);
        const after = [...this.touches.values()];
        if (after.length === 2) {
          const spread = Math.abs(after[0] - after[1]), was = Math.abs(before[0] - before[1]);
          if (spread > 8 && was > 8) axis.zoom(this.time((after[0] + after[1]) / 2), was / spread);
          return;
        }
      }
      this.mouse = { x, y: event.clientY - canvas.getBoundingClientRect().top };
      if (this.drag) {
        this.drag.now = x;
        if (this.drag.pan) {
          const shift = (this.drag.x - x) / this.width() * (this.drag.to - this.drag.from);
          axis.show(this.drag.from + shift, this.drag.to + shift);
        }
      }
      axis.hover = this.time(x);
      axis.redraw();
      this.tell(event);
    });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const isTouch = event.pointerType === "touch";
      if (isTouch) this.touches.set(event.pointerId, at(event));
      canvas.setPointerCapture(event.pointerId);
      this.drag = { x: at(event), now: at(event), pan: isTouch || event.shiftKey, from: axis.from, to: axis.to };
    });
    const end = (/** @type {PointerEvent} */ event) => {
      this.touches.delete(event.pointerId);
      const drag = this.drag; this.drag = null;
      if (drag && !drag.pan && Math.abs(drag.now - drag.x) > 6 && event.type === "pointerup") {
        axis.show(this.time(Math.min(drag.x, drag.now)), this.time(Math.max(drag.x, drag.now)));
      } else if (drag && Math.abs(drag.now - drag.x) <= 6 && event.type === "pointerup" && this.what.pick) {
        const item = this.nearest();
        if (item) this.what.pick(item);
      }
      axis.redraw();
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => { this.mouse = null; axis.hover = null; hideTip(); axis.redraw(); });
    canvas.addEventListener("dblclick", () => axis.reset());
    canvas.addEventListener("wheel", (event) => {
      // Without a key the wheel belongs to the page.
      if (!event.ctrlKey && !event.metaKey && !event.altKey) return;
      event.preventDefault();
      axis.zoom(this.time(at(event)), Math.exp(event.deltaY * 0.002));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const span = axis.to - axis.from, middle = (axis.from + axis.to) / 2;
      if (event.key === "+" || event.key === "=") axis.zoom(middle, 0.6);
      else if (event.key === "-") axis.zoom(middle, 1 / 0.6);
      else if (event.key === "ArrowLeft") axis.show(axis.from - span / 5, axis.to - span / 5);
      else if (event.key === "ArrowRight") axis.show(axis.from + span / 5, axis.to + span / 5);
      else if (event.key === "0" || event.key === "Escape") axis.reset();
      else return;
      event.preventDefault();
    });
  }

  width() { return Math.max(40, this.canvas.clientWidth - this.gutter()); }
  gutter() { return this.what.rows ? 0 : 74; }
  left() { return this.what.rows ? Math.min(170, this.canvas.clientWidth * 0.36) : 0; }
  /** @param {number} x */
  time(x) { return this.axis.from + (x - this.left()) / (this.width() - this.left()) * (this.axis.to - this.axis.from); }
  /** @param {number} time */
  place(time) { return this.left() + (time - this.axis.from) / (this.axis.to - this.axis.from) * (this.width() - this.left()); }

  /** Return what lies under the pointer: a mark within reach, else a bar of a row. */
  nearest() {
    if (!this.mouse) return null;
    let best = null, least = 15 * 15;
    for (const mark of this.what.marks || []) {
      if (mark.x < this.axis.from || mark.x > this.axis.to) continue;
      const dx = this.place(mark.x) - this.mouse.x, dy = this.yOf(mark.y) - this.mouse.y, far = dx * dx + dy * dy;
      if (far < least) { least = far; best = mark.item; }
    }
    if (!best && this.what.rows) {
      for (const span of this.what.spans || []) {
        const top = this.rowTop(span.row || 0);
        const from = this.place(span.from) - 4, to = this.place(span.to) + 4;
        if (this.mouse.y >= top && this.mouse.y < top + 20 && this.mouse.x >= from && this.mouse.x <= to) best = span.item;
      }
    }
    return best;
  }
  /** @param {PointerEvent} event */
  tell(event) {
    const item = this.what.tip && !(this.drag && Math.abs(this.drag.now - this.drag.x) > 6) ? this.nearest() : null;
    if (item && this.what.tip) showTip(this.what.tip(item), event.clientX, event.clientY); else hideTip();
  }
  /** @param {number} row */
  rowTop(row) { return 4 + row * 22; }
  /** @param {number} y */
  yOf(y) { return this.top + (this.high - y) / (this.high - this.low) * (this.bottom - this.top); }

  draw() {
    const canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    const wide = canvas.clientWidth, tall = this.what.height;
    if (!wide) return;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(tall * ratio)) {
      canvas.width = Math.round(wide * ratio); canvas.height = Math.round(tall * ratio);
    }
    const screen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    // Everything but the crosshair is kept as a picture: moving the pointer costs one copy of it.
    const state = [this.axis.from, this.axis.to, canvas.width, canvas.height, clock.local, document.documentElement.dataset.theme].join();
    if (state !== this.state) { this.state = state; this.paint(ratio, wide, tall); }
    screen.setTransform(1, 0, 0, 1, 0, 0);
    screen.clearRect(0, 0, canvas.width, canvas.height);
    screen.drawImage(this.picture, 0, 0);
    screen.setTransform(ratio, 0, 0, ratio, 0, 0);
    screen.font = FONT;
    this.crosshair(screen);
    this.read();
  }

  /** @param {number} ratio @param {number} wide @param {number} tall */
  paint(ratio, wide, tall) {
    this.picture.width = this.canvas.width; this.picture.height = this.canvas.height;
    const pen = /** @type {CanvasRenderingContext2D} */ (this.picture.getContext("2d"));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    pen.font = FONT;
    this.top = 8; this.bottom = tall - (this.what.times === false ? 6 : 22);
    this.range();
    this.grid(pen);
    pen.save();
    pen.beginPath(); pen.rect(this.left(), 0, this.width() - this.left(), this.bottom + 1); pen.clip();
    for (const span of this.what.spans || []) this.span(pen, span);
    this.rules(pen);
    for (const series of this.what.series || []) this.series(pen, series);
    this.links(pen);
    this.marks(pen);
    pen.restore();
    this.sign(pen);
  }

  /** Find the lowest and highest value that is visible. */
  range() {
    let low = Infinity, high = -Infinity;
    for (const series of this.what.series || []) {
      if (series.quiet) continue;
      const first = Math.max(0, lowerBound(series.xs, this.axis.from) - 1), last = Math.min(series.xs.length, lowerBound(series.xs, this.axis.to) + 1);
      const lows = series.lows || series.ys, highs = series.highs || series.ys;
      for (let index = first; index < last; index++) { if (lows[index] < low) low = lows[index]; if (highs[index] > high) high = highs[index]; }
    }
    for (const mark of this.what.marks || []) {
      if (mark.x >= this.axis.from && mark.x <= this.axis.to) { low = Math.min(low, mark.y); high = Math.max(high, mark.y); }
    }
    if (!(low <= high)) { low = 0; high = 1; }
    if (this.what.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
    const room = (high - low || Math.abs(high) * 0.001 || 1) * 0.08;
    this.low = low - (this.what.zero && low === 0 ? 0 : room); this.high = high + (this.what.zero && high === 0 ? 0 : room);
  }

  /** @param {CanvasRenderingContext2D} pen */
  grid(pen) {
    const wide = this.width(), dim = color("--dim"), faint = color("--faint");
    pen.lineWidth = 1; pen.textBaseline = "middle";
    if (!this.what.rows) {
      const { ticks, step } = niceTicks(this.low, this.high, (this.bottom - this.top) / 42);
      this.step = step;
      const taken = this.badges().map((badge) => badge.y);
      pen.textAlign = "left";
      for (const tick of ticks) {
        const y = Math.round(this.yOf(tick)) + 0.5;
        pen.strokeStyle = Math.abs(tick) < step * 1e-6 && this.what.zero ? color("--edge") : faint;
        pen.beginPath(); pen.moveTo(0, y); pen.lineTo(wide, y); pen.stroke();
        // What a badge will cover is not written.
        if (taken.some((other) => Math.abs(other - y) < 15)) continue;
        pen.fillStyle = dim; pen.fillText(this.what.text ? this.what.text(tick) : numberText(tick, step), wide + 8, y);
      }
    } else {
      pen.textAlign = "left"; pen.fillStyle = dim;
      this.what.rows.forEach((text, row) => {
        pen.fillText(text, 2, this.rowTop(row) + 8, this.left() - 12);
        pen.fillStyle = faint; pen.fillRect(this.left(), this.rowTop(row) + 7, wide - this.left(), 1); pen.fillStyle = dim;
      });
    }
    const span = this.axis.to - this.axis.from;
    const step = NICE_MS.find((nice) => nice >= span / ((wide - this.left()) / 95)) || 365 * DAY_MS;
    const shift = clock.local ? new Date(this.axis.from).getTimezoneOffset() * 60000 : 0;
    pen.textAlign = "center";
    for (let tick = Math.ceil((this.axis.from - shift) / step) * step + shift; tick <= this.axis.to; tick += step) {
      const x = Math.round(this.place(tick)) + 0.5;
      pen.strokeStyle = faint; pen.beginPath(); pen.moveTo(x, this.top - 4); pen.lineTo(x, this.bottom); pen.stroke();
      if (this.what.times === false) continue;
      const isDay = (tick - shift) % DAY_MS === 0 && step < DAY_MS;
      pen.fillStyle = isDay ? color("--text") : dim;
      if (x > this.left() + 24 && x < wide - 20) pen.fillText(timeText(tick, isDay ? DAY_MS : step), x, this.bottom + 12);
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {Span} span */
  span(pen, span) {
    const from = this.place(span.from), to = Math.max(from + 1.5, this.place(span.to));
    pen.fillStyle = color(span.color);
    if (this.what.rows) { pen.globalAlpha = 0.85; pen.fillRect(from, this.rowTop(span.row || 0) + 1, to - from, 13); pen.globalAlpha = 1; }
    else pen.fillRect(from, this.top - 4, to - from, this.bottom - this.top + 4);
  }

  /** @param {CanvasRenderingContext2D} pen */
  rules(pen) {
    const wide = this.width();
    let last = Infinity;
    pen.textBaseline = "bottom"; pen.textAlign = "left"; pen.lineWidth = 1;
    const rules = (this.what.rules || []).filter((rule) => rule.y >= this.low && rule.y <= this.high).sort((one, two) => one.y - two.y);
    for (const rule of rules) {
      const y = Math.round(this.yOf(rule.y)) + 0.5;
      const from = rule.from === undefined ? 0 : this.place(rule.from), to = rule.to === undefined ? wide : this.place(rule.to);
      pen.strokeStyle = color(rule.color); pen.globalAlpha = rules.length > 20 ? 0.3 : 0.5; pen.setLineDash([2, 4]);
      pen.beginPath(); pen.moveTo(from, y); pen.lineTo(to, y); pen.stroke();
      pen.setLineDash([]); pen.globalAlpha = 0.85;
      // A label that would lie on the one below it is left out.
      if (rule.text && last - y > 13) { pen.fillStyle = color(rule.color); pen.fillText(rule.text, Math.max(4, from + 4), y - 1); last = y; }
      pen.globalAlpha = 1;
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {Series} series */
  series(pen, series) {
    const { xs, ys } = series;
    if (!xs.length) return;
    const first = Math.max(0, lowerBound(xs, this.axis.from) - 1), last = Math.min(xs.length, lowerBound(xs, this.axis.to) + 1);
    const tint = color(series.color);
    const isStep = series.kind === "step" || series.kind === "area";
    if (series.kind === "band" && series.lows && series.highs) {
      const columns = this.columns(xs, series.lows, series.highs, first, last);
      pen.fillStyle = tint; pen.globalAlpha = 0.28;
      pen.beginPath();
      columns.forEach((column, index) => { const y = this.yOf(column.high); if (index) pen.lineTo(column.x, y); else pen.moveTo(column.x, y); });
      for (let index = columns.length - 1; index >= 0; index--) pen.lineTo(columns[index].x, this.yOf(columns[index].low));
      pen.closePath(); pen.fill(); pen.globalAlpha = 1;
    }
    const columns = this.columns(xs, ys, ys, first, last);
    pen.beginPath();
    let y = 0;
    columns.forEach((column, index) => {
      const open = this.yOf(column.first);
      if (!index) pen.moveTo(column.x, open);
      else { if (isStep) pen.lineTo(column.x, y); pen.lineTo(column.x, open); }
      if (column.low !== column.high) { pen.lineTo(column.x, this.yOf(column.low)); pen.lineTo(column.x, this.yOf(column.high)); }
      y = this.yOf(column.last);
      pen.lineTo(column.x, y);
    });
    const end = columns[columns.length - 1];
    let right = end.x;
    // What a step shows last holds until the end of the run.
    if (isStep && last === xs.length) { right = Math.min(this.width(), this.place(this.axis.whole[1])); pen.lineTo(right, y); }
    pen.strokeStyle = tint; pen.lineWidth = series.kind === "band" ? 1 : 1.5; pen.lineJoin = "round"; pen.stroke();
    if (series.kind === "area") {
      const zero = this.yOf(Math.min(Math.max(0, this.low), this.high));
      pen.lineTo(right, zero); pen.lineTo(columns[0].x, zero); pen.closePath();
      pen.fillStyle = tint; pen.globalAlpha = 0.16; pen.fill(); pen.globalAlpha = 1;
    }
  }

  /** Reduce points to one column for each half pixel. @param {number[]} xs @param {number[]} lows @param {number[]} highs @param {number} first @param {number} last */
  columns(xs, lows, highs, first, last) {
    /** @type {{x: number, low: number, high: number, first: number, last: number}[]} */ const columns = [];
    let slot = NaN;
    for (let index = first; index < last; index++) {
      const x = Math.round(this.place(xs[index]) * 2) / 2;
      const low = lows[index], high = highs[index];
      if (x === slot) {
        const column = columns[columns.length - 1];
        if (low < column.low) column.low = low;
        if (high > column.high) column.high = high;
        column.last = high;
      } else { slot = x; columns.push({ x, low, high, first: low, last: high }); }
    }
    return columns;
  }

  /** @param {CanvasRenderingContext2D} pen */
  links(pen) {
    /** @type {Map<string, Set<string>>} */ const seen = new Map();
    pen.globalAlpha = 0.65; pen.lineWidth = 1;
    for (const link of this.what.links || []) {
      if (Math.max(link.x1, link.x2) < this.axis.from || Math.min(link.x1, link.x2) > this.axis.to) continue;
      const places = [this.place(link.x1), this.yOf(link.y1), this.place(link.x2), this.yOf(link.y2)].map(Math.round);
      const drawn = seen.get(link.color) || new Set();
      seen.set(link.color, drawn.add(places.join()));
    }
    for (const [tint, lines] of seen) {
      pen.strokeStyle = color(tint);
      pen.beginPath();
      for (const line of lines) { const [x1, y1, x2, y2] = line.split(",").map(Number); pen.moveTo(x1, y1); pen.lineTo(x2, y2); }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} pen */
  marks(pen) {
    const marks = (this.what.marks || []).filter((mark) => mark.x >= this.axis.from && mark.x <= this.axis.to);
    const size = marks.length > 600 ? 2.6 : marks.length > 150 ? 3.6 : 5;
    const back = color("--panel"), seen = new Set();
    pen.lineWidth = 1; pen.strokeStyle = back;
    for (const mark of marks) {
      const x = Math.round(this.place(mark.x) * 2) / 2, y = Math.round(this.yOf(mark.y) * 2) / 2;
      // Of marks that would cover one another exactly, one is drawn.
      const where = `${x},${y},${mark.shape}`;
      if (seen.has(where)) continue;
      seen.add(where);
      pen.beginPath();
      if (mark.shape === "dot") pen.arc(x, y, size * 0.8, 0, 7);
      else {
        const up = mark.shape === "up" ? 1 : -1;
        pen.moveTo(x, y - up * size * 0.2); pen.lineTo(x - size, y + up * size * 1.5); pen.lineTo(x + size, y + up * size * 1.5); pen.closePath();
      }
      pen.fillStyle = color(mark.color); pen.fill();
      if (size > 3) pen.stroke();
    }
  }

  /** Return the last visible value of each series, and where its badge stands beside the axis, from the top down. */
  badges() {
    const shown = [];
    for (const series of this.what.rows ? [] : this.what.series || []) {
      const index = lowerBound(series.xs, this.axis.to + 1e-6) - 1;
      if (index >= 0 && !series.quiet) shown.push({ y: this.yOf(series.ys[index]), text: this.text(series, series.ys[index]), tint: color(series.color) });
    }
    shown.sort((one, two) => one.y - two.y);
    let last = -Infinity;
    for (const badge of shown) { badge.y = last = Math.min(this.bottom - 8, Math.max(badge.y, last + 17, this.top + 4)); }
    return shown;
  }

  /** @param {CanvasRenderingContext2D} pen */
  sign(pen) {
    pen.textAlign = "left"; pen.textBaseline = "middle";
    for (const badge of this.badges()) {
      pen.fillStyle = badge.tint; pen.fillRect(this.width() + 3, badge.y - 8, this.gutter() - 3, 16);
      pen.fillStyle = color("--back"); pen.fillText(badge.text, this.width() + 8, badge.y, this.gutter() - 12);
    }
  }

  /** @param {Series} series @param {number} value */
  text(series, value) { return (series.text || this.what.text || ((number) => numberText(number, (this.step || 1) / 10)))(value); }

  /** @param {CanvasRenderingContext2D} pen */
  crosshair(pen) {
    const drag = this.drag;
    if (drag && !drag.pan && Math.abs(drag.now - drag.x) > 6) {
      pen.fillStyle = color("--blue"); pen.globalAlpha = 0.18; pen.fillRect(Math.min(drag.x, drag.now), 0, Math.abs(drag.now - drag.x), this.bottom); pen.globalAlpha = 1;
    }
    if (this.axis.hover === null || this.axis.hover < this.axis.from || this.axis.hover > this.axis.to) return;
    const x = Math.round(this.place(this.axis.hover)) + 0.5;
    pen.strokeStyle = color("--dim"); pen.lineWidth = 1; pen.setLineDash([3, 3]);
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, this.bottom); pen.stroke();
    if (this.mouse && !this.what.rows && this.mouse.y < this.bottom) {
      const y = Math.round(this.mouse.y) + 0.5;
      pen.beginPath(); pen.moveTo(0, y); pen.lineTo(this.width(), y); pen.stroke();
      const value = this.high - (y - this.top) / (this.bottom - this.top) * (this.high - this.low);
      pen.setLineDash([]); pen.fillStyle = color("--dim"); pen.fillRect(this.width() + 3, y - 8, this.gutter() - 3, 16);
      pen.fillStyle = color("--back"); pen.textAlign = "left"; pen.textBaseline = "middle";
      pen.fillText(this.what.text ? this.what.text(value) : numberText(value, (this.step || 1) / 10), this.width() + 8, y, this.gutter() - 12);
    }
    pen.setLineDash([]);
  }

  /** Tell names, and the values under the crosshair or at the end. */
  read() {
    const at = this.axis.hover === null ? this.axis.to : this.axis.hover;
    const parts = [];
    for (const series of this.what.series || []) {
      const index = lowerBound(series.xs, at + 1e-6) - 1;
      const value = index < 0 ? "" : this.text(series, series.ys[index]);
      parts.push(`<span style="--c:${color(series.color)}">${escaped(series.name)}<b>${value}</b></span>`);
    }
    if (this.what.times !== false && this.axis.hover !== null) parts.push(`<span class="plain">${timeText(at)}</span>`);
    const text = parts.join("");
    if (text !== this.said) { this.said = text; this.legend.innerHTML = text; }
  }
}

/** @type {Map<string, string>} */ const palette = new Map();
/** Return a colour by its name in the style sheet. @param {string} name */
function color(name) {
  if (!name.startsWith("--")) return name;
  let found = palette.get(name);
  if (!found) { found = getComputedStyle(document.documentElement).getPropertyValue(name).trim(); palette.set(name, found); }
  return found;
}

/** @param {unknown} text */
function escaped(text) { return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;"); }

/** @param {string} html @param {number} x @param {number} y */
function showTip(html, x, y) {
  const tip = /** @type {HTMLElement} */ (document.getElementById("tip"));
  tip.innerHTML = html; tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 6)) + "px";
  tip.style.top = (y + 16 + box.height > innerHeight ? y - box.height - 12 : y + 16) + "px";
}
function hideTip() { /** @type {HTMLElement} */ (document.getElementById("tip")).hidden = true; }
