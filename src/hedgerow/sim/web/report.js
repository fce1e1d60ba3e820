// @ts-check
"use strict";
// Draws the page of one backtest from the data inside it. Exact numbers are shown as they are; only charts use binary fractions.

const page = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent || "{}");
const result = page.result;
const COLORS = ["--blue", "--amber", "--violet", "--cyan", "--green", "--red"];
const MS = 1e6;
let shownBook = 0;
/** @type {Axis} */ let axis;

/** @param {string} tag @param {string} [kind] @param {string} [html] */
function made(tag, kind, html) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (html !== undefined) element.innerHTML = html;
  return element;
}

/** @param {string} kind @param {string} title @param {string} [note] */
function panel(kind, title, note) {
  const box = made("section", "panel " + kind, `<h2>${title}<small>${note || ""}</small><span class="right"></span></h2>`);
  /** @type {HTMLElement} */ (document.getElementById("main")).append(box);
  return box;
}

/** @param {number} ns */
function lengthText(ns) {
  if (ns < 1e6) return Math.round(ns / 1e3) + " µs";
  if (ns < 999.5e6) return (ns / 1e6).toFixed(ns < 9.95e6 ? 1 : 0) + " ms";
  if (ns < 60e9) return (ns / 1e9).toFixed(2) + " s";
  const minutes = Math.floor(ns / 60e9);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(ns / 1e9) % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** An amount for people; the exact one belongs into a title. @param {string|number} value @param {boolean} [plain] without plus */
function money(value, plain) {
  const number = Number(value);
  if (!number) return "0.00";
  const digits = Math.abs(number) < 1 ? Math.min(8, Math.max(2, 1 - Math.floor(Math.log10(Math.abs(number))))) : 2;
  const text = Math.abs(number).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (number < 0 ? "\u2212" : plain ? "" : "+") + text;
}
/** @param {string|number} value */
function tone(value) { return Number(value) > 0 ? "good" : Number(value) < 0 ? "bad" : "dim"; }
/** @param {string|number} value */
function signed(value) { const number = Number(value); return number < 0 ? "\u2212" + String(value).slice(1) : number ? "+" + value : "0"; }
/** An exact number without zeros at its end. @param {string|undefined|null} value */
function trimmed(value) {
  if (value === undefined || value === null) return "";
  return Number(value) === 0 ? "0" : /^[^.e]*\.\d*$/i.test(value) ? value.replace(/0+$/, "").replace(/\.$/, "") : value;
}
/** A cost: nothing is written dim. @param {string|undefined} value */
function cost(value) { return Number(value || 0) === 0 ? '<span class="dim">0</span>' : escaped(trimmed(value)); }
/** @param {string} word */
function plainWord(word) { return escaped(word.replace(/_/g, " ")); }

/**
 * A table that sorts by a click on its head and is saved as CSV.
 * @param {HTMLElement} box
 * @param {string} name
 * @param {{key: string, title: string, left?: boolean, wrap?: boolean, html?: (row: any) => string, value?: (row: any) => any}[]} columns
 * @param {any[]} rows
 * @param {(row: any) => number|undefined} [ts] where a click leads
 */
function table(box, name, columns, rows, ts) {
  const place = made("div", "scroll"), grid = made("table");
  const value = (/** @type {any} */ column, /** @type {any} */ row) => column.value ? column.value(row) : row[column.key];
  let sorted = rows, key = "", rising = true, count = 200;
  const draw = () => {
    const head = columns.map((column) => `<th class="${column.left ? "left" : ""}" data-key="${column.key}" tabindex="0" aria-sort="${column.key === key ? (rising ? "ascending" : "descending") : "none"}">${column.title}${column.key === key ? (rising ? " ↑" : " ↓") : ""}</th>`).join("");
    const body = sorted.slice(0, count).map((row) => {
      const at = ts ? ts(row) : undefined;
      const cells = columns.map((column) => `<td class="${column.left ? "left" : ""}${column.wrap ? " wrap" : ""}">${column.html ? column.html(row) : escaped(value(column, row) ?? "")}</td>`).join("");
      return `<tr${at ? ` data-ts="${at}"` : ""}>${cells}</tr>`;
    }).join("");
    grid.innerHTML = `<thead><tr>${head}</tr></thead><tbody>${body}</tbody>`;
  };
  place.addEventListener("scroll", () => {
    if (count < sorted.length && place.scrollTop + place.clientHeight > place.scrollHeight - 200) { count += 400; draw(); }
  });
  const act = (/** @type {Event} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const head = /** @type {HTMLElement|null} */ (target.closest("th")), row = /** @type {HTMLElement|null} */ (target.closest("tr[data-ts]"));
    if (head) {
      rising = key === head.dataset.key ? !rising : true; key = head.dataset.key || "";
      const column = columns.find((each) => each.key === key);
      sorted = [...rows].sort((one, two) => {
        const a = value(column, one) ?? "", b = value(column, two) ?? "";
        const order = a !== "" && b !== "" && isFinite(a) && isFinite(b) ? Number(a) - Number(b) : String(a).localeCompare(String(b));
        return rising ? order : -order;
      });
      draw();
    } else if (row) lookAt(Number(row.dataset.ts));
  };
  grid.addEventListener("click", act);
  grid.addEventListener("keydown", (event) => { if (event.key === "Enter") act(event); });
  draw();
  place.append(grid); box.append(place);
  const save = made("button", "", "CSV");
  save.title = "Save this table as CSV";
  save.addEventListener("click", () => {
    const cell = (/** @type {any} */ text) => /[",\n]/.test(String(text ?? "")) ? `"${String(text).replace(/"/g, '""')}"` : String(text ?? "");
    const lines = [columns.map((column) => cell(column.title)), ...sorted.map((row) => columns.map((column) => cell(value(column, row))))];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\n") + "\n"], { type: "text/csv" }));
    link.download = `${name}.csv`; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  /** @type {HTMLElement} */ (box.querySelector(".right")).append(save);
}

/** Move all charts to a moment. @param {number} ms */
function lookAt(ms) {
  const width = Math.min(axis.to - axis.from, (axis.whole[1] - axis.whole[0]) / 12);
  axis.show(ms - width / 2, ms + width / 2);
  axis.hover = ms; axis.redraw();
  /** @type {HTMLElement} */ (document.getElementById("prices") || document.getElementById("main")).scrollIntoView({ block: "nearest" });
}

/** @param {any} book */
function legColor(book, /** @type {string} */ legId) {
  return COLORS[Math.max(0, book.legs.findIndex((/** @type {any} */ leg) => leg.leg_id === legId)) % COLORS.length];
}

/** Two facts in one box, the unit once: `38 / 63 ms`. @param {any} one @param {any} two */
function pair(one, two) {
  const unit = one.text.split(" ").slice(1).join(" "), other = two.text.split(" ").slice(1).join(" ");
  return { ...one, text: (unit === other ? one.text.split(" ")[0] : one.text) + " / " + two.text, exact: one.exact + " / " + two.exact };
}

/** @param {any} book @param {any} facts */
function kpis(book, facts) {
  const place = made("div", "kpis");
  const by = Object.fromEntries(facts.map((/** @type {any} */ fact) => [fact.key, fact]));
  const shown = [by.pnl, by.drawdown, by.unhedged_ns, by.hedge_p50_ns && by.hedge_p50_ns.exact ? { ...pair(by.hedge_p50_ns, by.hedge_p99_ns), name: "hedge p50 / p99" } : by.hedge_p50_ns,
    by.fills, { ...pair(by.fees, by.funding), name: "fees / funding", note: "" }, by.residual, by.rounds, by.pairs, book.alarms ? by.alarms : null].filter(Boolean);
  place.style.setProperty("--columns", String(shown.length > 6 ? Math.ceil(shown.length / 2) : shown.length));
  for (const fact of shown) {
    place.append(made("div", "kpi", `<span>${fact.name}</span><b class="${fact.tone}" title="${escaped(fact.exact)}">${escaped(fact.text.replace(/-/g, "\u2212"))}</b><i title="${escaped(fact.note)}">${escaped(fact.note || "\u00a0")}</i>`));
  }
  /** @type {HTMLElement} */ (document.getElementById("main")).append(place);
}

/** @param {any} book */
function identity(book) {
  const pnl = book.pnl;
  const parts = [
    ["spread", Number(pnl.spread || 0), pnl.spread || "0", "what the legs earned against each other"],
    ["funding", Number(pnl.funding || 0), pnl.funding || "0", "received less paid, borrow included"],
    ["residual", Number(pnl.residual || 0), pnl.residual || "0", "what is still open and not offset"],
    ["− fees", -Number(pnl.fees || 0), pnl.fees || "0", "paid to the venues"],
    ["− slippage", -Number(pnl.slippage || 0), pnl.slippage || "0", "paid beyond the price at the decision"],
  ];
  const total = page.facts[shownBook].find((/** @type {any} */ fact) => fact.key === "pnl");
  const box = panel("w5", "P&amp;L identity", "total = spread + funding + residual − fees − slippage");
  let sum = 0;
  const rows = parts.map(([name, value, exact, note]) => { const from = sum; sum += /** @type {number} */ (value); return { name, value, exact, note, from, to: sum }; });
  rows.push({ name: "total", value: Number(total.exact), exact: total.exact, note: "net of everything", from: 0, to: Number(total.exact) });
  const low = Math.min(0, ...rows.map((row) => Math.min(row.from, row.to))), high = Math.max(0, ...rows.map((row) => Math.max(row.from, row.to)));
  const x = (/** @type {number} */ value) => (value - low) / (high - low || 1) * 100;
  const tall = 34;
  const bars = rows.map((row, index) => {
    const y = index * tall, isTotal = index === rows.length - 1;
    const left = x(Math.min(row.from, row.to)), width = Math.max(0.4, Math.abs(x(row.to) - x(row.from)));
    if (!row.value) return "";
    const tint = isTotal ? "--blue" : row.value >= 0 ? "--green" : "--red";
    const down = isTotal ? "" : `<line x1="${x(row.to)}%" x2="${x(row.to)}%" y1="${y + 6}" y2="${y + tall + 6}" stroke="var(--edge)"/>`;
    return `${down}<rect x="${left}%" width="${width}%" y="${y + 6}" height="19" rx="2" fill="var(${tint})"><title>${row.name}: ${row.exact} ${escaped(book.quote)}; ${row.note}</title></rect>`;
  }).join("");
  const names = rows.map((row, index) => `<div style="height:${tall}px;display:flex;align-items:center;gap:10px;justify-content:space-between${index === rows.length - 1 ? ";font-weight:650" : ""}" title="${row.exact}"><span>${row.name}</span><span class="${tone(row.value)}">${money(row.value)}</span></div>`).join("");
  box.append(made("div", "", `<div style="display:grid;grid-template-columns:minmax(132px,auto) 1fr;gap:14px"><div>${names}</div><svg width="100%" height="${rows.length * tall}" role="img" aria-label="Profit and loss by its parts"><line x1="${x(0)}%" x2="${x(0)}%" y1="0" y2="${rows.length * tall}" stroke="var(--dim)" stroke-dasharray="2 3"/>${bars}</svg></div>`));
}

/** @param {any} book */
function equity(book) {
  const box = panel("w7", "Equity and drawdown", `${escaped(book.quote)} · drag to zoom, double-click for all`);
  const points = book.equity || [];
  if (!points.length) { box.append(made("p", "empty", "No price was seen, so there is no curve.")); return; }
  const xs = points.map((/** @type {any} */ point) => point[0] / MS), ys = points.map((/** @type {any} */ point) => Number(point[1]));
  let peak = 0;
  const falls = ys.map((/** @type {number} */ value) => { peak = Math.max(peak, value); return value - peak; });
  new Chart(box, axis, { height: 160, label: "Equity over time", zero: true, times: false, series: [{ name: "equity", color: "--blue", kind: "area", xs, ys, text: (value) => money(value) }] });
  new Chart(box, axis, { height: 84, label: "Drawdown over time", zero: true, series: [{ name: "drawdown", color: "--red", kind: "area", xs, ys: falls, text: (value) => money(value) }] });
}

/** @param {any} book @param {any} fill */
function fillTip(book, fill) {
  const byId = book.byId, cause = byId.get(fill.cause);
  const lines = [`<b class="${fill.side}">${fill.side.toUpperCase()} ${fill.qty}</b> @ <b>${fill.price}</b>`, `<span class="dim">${timeText(fill.ts_ns / MS)}</span>`,
    `${escaped(fill.leg_id)} · ${fill.role}${fill.is_maker ? " · maker" : " · taker"}${fill.slot ? " · " + escaped(fill.slot) : ""}`, `order ${escaped(fill.order_id)}`];
  if (fill.fee) lines.push(`fee ${fill.fee} ${escaped(book.quote)}`);
  if (fill.slippage) lines.push(`slippage ${fill.slippage} ${escaped(book.quote)}`);
  if (cause) lines.push(`${fill.role === "exit" ? "exits" : "hedges"} #${cause.id} ${cause.side.toUpperCase()} @ ${cause.price}`);
  if (fill.latency_ns !== undefined && fill.latency_ns !== null) lines.push(`${lengthText(fill.latency_ns)} after its cause${fill.carried_ns ? ` could be hedged; it was too small for ${lengthText(fill.carried_ns)}` : ""}`);
  if (fill.venue_made) lines.push('<span class="bad">made by the venue</span>');
  return lines.join("<br>");
}

/** @param {any} book */
function prices(book) {
  const legs = book.legs.filter((/** @type {any} */ leg) => (book.prices || []).some((/** @type {any} */ each) => each.leg_id === leg.leg_id) || book.fills.some((/** @type {any} */ fill) => fill.leg_id === leg.leg_id));
  const box = panel("", "Price and fills", "▲ buy ▼ sell · lines join entries to exits, and fills to their hedges");
  box.id = "prices";
  if (!legs.length) { box.append(made("p", "empty", "No price was seen and nothing was filled.")); return; }
  const right = /** @type {HTMLElement} */ (box.querySelector(".right"));
  const place = made("div"); box.append(place);
  /** @type {Chart|null} */ let chart = null;
  const show = (/** @type {string} */ which) => {
    if (chart) axis.charts.splice(axis.charts.indexOf(chart), 1);
    place.innerHTML = "";
    const chosen = legs.filter((/** @type {any} */ leg) => which === "" || leg.leg_id === which).map((/** @type {any} */ leg) => leg.leg_id);
    const series = (book.prices || []).filter((/** @type {any} */ each) => chosen.includes(each.leg_id)).map((/** @type {any} */ each) => ({
      name: each.leg_id, color: legColor(book, each.leg_id), kind: /** @type {"band"} */ ("band"), xs: each.points.map((/** @type {any} */ point) => point[0] / MS),
      ys: each.points.map((/** @type {any} */ point) => (Number(point[1]) + Number(point[2])) / 2), lows: each.points.map((/** @type {any} */ point) => Number(point[3])), highs: each.points.map((/** @type {any} */ point) => Number(point[4])),
    }));
    const fills = book.fills.filter((/** @type {any} */ fill) => chosen.includes(fill.leg_id));
    const marks = fills.map((/** @type {any} */ fill) => ({ x: fill.ts_ns / MS, y: Number(fill.price), shape: /** @type {"up"|"down"} */ (fill.side === "buy" ? "up" : "down"), color: fill.side === "buy" ? "--green" : "--red", item: fill }));
    const links = [];
    for (const fill of fills) {
      const cause = book.byId.get(fill.cause);
      if (!cause || !chosen.includes(cause.leg_id)) continue;
      const gained = (Number(fill.price) - Number(cause.price)) * (cause.side === "buy" ? 1 : -1);
      links.push({ x1: cause.ts_ns / MS, y1: Number(cause.price), x2: fill.ts_ns / MS, y2: Number(fill.price), color: fill.role === "exit" ? (gained >= 0 ? "--green" : "--red") : "--dim" });
    }
    const rules = (book.lines || []).filter((/** @type {any} */ line) => chosen.includes(line.leg_id)).map((/** @type {any} */ line) => ({
      y: Number(line.price), color: line.side === "buy" ? "--green" : line.side === "sell" ? "--red" : "--amber", text: line.text,
      from: line.from_ts_ns ? line.from_ts_ns / MS : undefined, to: line.to_ts_ns ? line.to_ts_ns / MS : undefined }));
    chart = new Chart(place, axis, { height: innerWidth < 600 ? 280 : 380, label: `Price with ${fills.length} fills; the table of fills has them all`, series, marks, links, rules, tip: (fill) => fillTip(book, fill) });
    chart.draw();
    for (const button of right.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.leg === which));
  };
  if (legs.length > 1) for (const which of ["", ...legs.map((/** @type {any} */ leg) => leg.leg_id)]) {
    const button = made("button", "", which ? escaped(which) : "both"); button.dataset.leg = which;
    button.addEventListener("click", () => show(which)); right.append(button);
  }
  show("");
}

/** @param {any} book */
function exposure(book) {
  const box = panel(book.legs.length > 1 ? "w7" : "", "Exposure by leg", book.stands_apart ? "each in its own units" : `${escaped(book.base)}${book.legs.length > 1 ? " · shaded where not hedged" : ""}`);
  const points = book.exposure || [];
  if (!points.length) { box.append(made("p", "empty", "No leg held anything.")); return; }
  const xs = points.map((/** @type {any} */ point) => point[0] / MS);
  const series = book.legs.map((/** @type {any} */ leg, /** @type {number} */ index) => ({ name: leg.leg_id, color: legColor(book, leg.leg_id), kind: /** @type {"step"} */ ("step"), xs, ys: points.map((/** @type {any} */ point) => Number(point[1][index])) }));
  if (book.legs.length > 1 && !book.stands_apart) series.push({ name: "residual", color: "--red", kind: /** @type {"step"} */ ("step"), xs, ys: points.map((/** @type {any} */ point) => Number(point[2])) });
  const spans = (book.unhedged || []).map((/** @type {any} */ each) => ({ from: each.from_ts_ns / MS, to: each.to_ts_ns / MS, color: "--down" }));
  new Chart(box, axis, { height: 224, label: "Exposure of each leg over time", zero: true, series, spans });
}

/** @param {any} book */
function latency(book) {
  const values = book.fills.map((/** @type {any} */ fill) => fill.latency_ns).filter((/** @type {any} */ value) => value !== undefined && value !== null).sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
  const box = panel("w5", "Hedge latency", "from when a fill could be hedged to its hedge's fill");
  if (!values.length) { box.append(made("p", "empty", "No fill was followed by a hedge.")); return; }
  const low = Math.floor(Math.log10(Math.max(1e3, values[0])) * 8) / 8, high = Math.ceil(Math.log10(Math.max(1e3, values[values.length - 1])) * 8 + 0.001) / 8;
  const count = Math.max(8, Math.round((high - low) * 8)), bins = new Array(count).fill(0);
  for (const value of values) bins[Math.min(count - 1, Math.max(0, Math.floor((Math.log10(Math.max(1e3, value)) - low) / (high - low) * count)))]++;
  const most = Math.max(...bins), tall = 178, base = tall - 22;
  const x = (/** @type {number} */ ns) => Math.min(99.6, Math.max(0, (Math.log10(Math.max(1e3, ns)) - low) / (high - low) * 100));
  const edge = (/** @type {number} */ index) => Math.pow(10, low + (high - low) * index / count);
  const bars = bins.map((number, index) => `<rect x="${index / count * 100 + 0.25}%" width="${100 / count - 0.5}%" y="${base - number / most * (base - 34)}" height="${number / most * (base - 34)}" rx="1.5" fill="var(--blue)"><title>${number} of ${values.length}: ${lengthText(edge(index))} to ${lengthText(edge(index + 1))}</title></rect>`).join("");
  const quantile = (/** @type {number} */ percent) => values[Math.max(0, Math.ceil(values.length * percent / 100) - 1)];
  const quantiles = [[50, "--green"], [95, "--amber"], [99, "--red"]].map(([percent, tint], row) => {
    const at = x(quantile(/** @type {number} */ (percent)));
    return `<line x1="${at}%" x2="${at}%" y1="${row * 12 + 3}" y2="${base}" stroke="var(${tint})"/><text x="${at}%" dx="${at > 70 ? -5 : 5}" y="${row * 12 + 11}" text-anchor="${at > 70 ? "end" : "start"}" fill="var(${tint})" font-size="11">p${percent} ${lengthText(quantile(/** @type {number} */ (percent)))}</text>`;
  }).join("");
  let ticks = "";
  const decades = high - low;
  for (let power = Math.floor(low); power <= high; power++) for (const nice of decades > 2.5 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5]) {
    const ns = nice * Math.pow(10, power), at = (Math.log10(ns) - low) / decades * 100;
    if (at >= 0 && at <= 97) ticks += `<line x1="${at}%" x2="${at}%" y1="${base}" y2="${base + 4}" stroke="var(--dim)"/><text x="${at}%" y="${tall - 4}" text-anchor="${at < 4 ? "start" : "middle"}" fill="var(--dim)" font-size="11">${ns < 1e6 ? ns / 1e3 + " µs" : ns < 1e9 ? ns / 1e6 + " ms" : ns / 1e9 + " s"}</text>`;
  }
  box.append(made("div", "legend", `<span class="plain">worst<b>${lengthText(values[values.length - 1])}</b></span><span class="plain">hedge fills<b>${values.length.toLocaleString("en-US")}</b></span>`));
  box.append(made("div", "", `<svg width="100%" height="${tall}" role="img" aria-label="Histogram of ${values.length} hedge latencies">${bars}<line x1="0" x2="100%" y1="${base}" y2="${base}" stroke="var(--edge)"/>${quantiles}${ticks}</svg>`));
}

/** @param {any} book */
function unhedged(book) {
  const rows = (book.unhedged || []).map((/** @type {any} */ each) => ({ ...each, length: each.to_ts_ns - each.from_ts_ns }));
  const span = result.to_ts_ns - result.from_ts_ns;
  const share = span ? ((book.unhedged_ns || 0) / span * 100).toFixed(2) + " % of the time" : "";
  const box = panel("w6", "Time unhedged", rows.length ? `${lengthText(book.unhedged_ns || 0)}, ${share}` : "");
  if (!rows.length) { box.append(made("p", "empty", "Never: each fill was offset at once.")); return; }
  rows.sort((/** @type {any} */ one, /** @type {any} */ two) => two.length - one.length);
  const most = rows[0].length;
  table(box, `${book.book_id}-unhedged`, [
    { key: "from_ts_ns", title: "since", left: true, html: (row) => timeText(row.from_ts_ns / MS) },
    { key: "length", title: "for", html: (row) => `${lengthText(row.length)} <span class="bar" style="width:${Math.max(1, row.length / most * 60)}px;background:var(--red)"></span>` },
    { key: "residual", title: "residual", html: (row) => signed(row.residual) },
    { key: "notional", title: "worth", html: (row) => money(row.notional || 0, true) },
    { key: "reason", title: "why", left: true, html: (row) => row.reason ? plainWord(row.reason) : '<span class="dim">on its way</span>' },
  ], rows, (row) => row.from_ts_ns / MS);
}

/** @param {any} book */
function levels(book) {
  const rows = [...book.levels].sort((one, two) => Number(two.price) - Number(one.price));
  const box = panel("w6", "Levels", `${rows.length} levels, best first by price`);
  const most = Math.max(1, ...rows.map((row) => row.entries || 0)), gained = Math.max(1e-9, ...rows.map((row) => Math.abs(Number(row.gained || 0))));
  table(box, `${book.book_id}-levels`, [
    { key: "slot", title: "level", left: true, html: (row) => escaped(row.slot) },
    { key: "side", title: "side", left: true, html: (row) => `<span class="${row.side}">${row.side.toUpperCase()}</span>` },
    { key: "price", title: "entry" },
    { key: "exit_price", title: "exit", html: (row) => row.exit_price ?? "" },
    { key: "entries", title: "entries", value: (row) => row.entries || 0, html: (row) => `<span class="bar" style="width:${(row.entries || 0) / most * 60}px;background:var(${row.side === "buy" ? "--green" : "--red"})"></span> ${row.entries || 0}` },
    { key: "exits", title: "exits", value: (row) => row.exits || 0 },
    { key: "open_qty", title: "open", value: (row) => row.open_qty || 0, html: (row) => row.open_qty ? signed(row.open_qty) : '<span class="dim">0</span>' },
    { key: "gained", title: "gained", value: (row) => row.gained || 0, html: (row) => `<span class="${tone(row.gained || 0)}" title="${row.gained || 0}">${money(row.gained || 0)}</span> <span class="bar" style="width:${Math.abs(Number(row.gained || 0)) / gained * 40}px;background:var(${Number(row.gained || 0) >= 0 ? "--green" : "--red"})"></span>` },
  ], rows);
}

/** @param {any} book */
function rounds(book) {
  const rows = book.rounds.map((/** @type {any} */ row) => {
    const part = (/** @type {string} */ name) => Number((row.pnl || {})[name] || 0);
    return { ...row, total: part("spread") + part("funding") + part("residual") - part("fees") - part("slippage"), length: row.closed_ts_ns ? row.closed_ts_ns - row.opened_ts_ns : null };
  });
  const won = rows.filter((/** @type {any} */ row) => row.closed_ts_ns && row.total > 0).length, closed = rows.filter((/** @type {any} */ row) => row.closed_ts_ns).length;
  const box = panel("w6", "Rounds", closed ? `${closed} closed, ${won} of them with a gain` : "none closed");
  const most = Math.max(1e-9, ...rows.map((/** @type {any} */ row) => Math.abs(row.total)));
  table(box, `${book.book_id}-rounds`, [
    { key: "number", title: "#" },
    { key: "opened_ts_ns", title: "opened", left: true, html: (row) => timeText(row.opened_ts_ns / MS) },
    { key: "length", title: "held", html: (row) => row.length === null ? '<span class="dim">open</span>' : lengthText(row.length) },
    { key: "qty", title: "qty" },
    { key: "entry", title: "entry", html: (row) => trimmed(row.entry) },
    { key: "exit", title: "exit", html: (row) => trimmed(row.exit) },
    { key: "total", title: "P&amp;L", html: (row) => `<span class="${tone(row.total)}">${money(row.total)}</span> <span class="bar" style="width:${Math.abs(row.total) / most * 40}px;background:var(${row.total >= 0 ? "--green" : "--red"})"></span>` },
    { key: "reason", title: "ended by", left: true, html: (row) => plainWord(row.reason || "") },
  ], rows, (row) => row.opened_ts_ns / MS);
}

/** @param {any} book */
function holds(book) {
  const rows = [...(book.holds || [])].sort((one, two) => two.held_ns - one.held_ns);
  const box = panel("", "Holds by reason", rows.length ? "what was wanted and not done, how often and for how long" : "");
  if (!rows.length) { box.append(made("p", "empty", "Nothing that was wanted was held back.")); return; }
  const names = rows.map((row) => `${row.reason.replace(/_/g, " ")} · ${row.leg_id}`);
  const spans = [];
  for (const [reason, leg, from, to] of book.hold_spans || []) {
    const row = rows.findIndex((each) => each.reason === reason && each.leg_id === leg);
    if (row >= 0) spans.push({ from: from / MS, to: to / MS, row, color: COLORS[row % COLORS.length], item: { reason, leg, from, to } });
  }
  if (spans.length) new Chart(box, axis, { height: names.length * 22 + 28, label: "When each hold stood", rows: names, spans,
    tip: (item) => `<b>${plainWord(item.reason)}</b> · ${escaped(item.leg)}<br>${lengthText(item.to - item.from)} from ${timeText(item.from / MS)}<br><span class="dim">${escaped((page.texts[item.reason] || [""])[0])}</span>` });
  const most = rows[0].held_ns || 1;
  table(box, `${book.book_id}-holds`, [
    { key: "reason", title: "reason", left: true, html: (row) => `<b>${plainWord(row.reason)}</b>` },
    { key: "leg_id", title: "leg", left: true },
    { key: "count", title: "times" },
    { key: "held_ns", title: "in all", html: (row) => `<span class="bar" style="width:${Math.max(1, row.held_ns / most * 90)}px;background:var(--amber)"></span> ${lengthText(row.held_ns)}` },
    { key: "longest_ns", title: "longest", html: (row) => row.longest_ns ? lengthText(row.longest_ns) : "" },
    { key: "why", title: "what it says", left: true, wrap: true, value: (row) => (page.texts[row.reason] || [""])[0], html: (row) => `<span class="dim">${escaped((page.texts[row.reason] || [""])[0])}</span>` },
  ], rows);
}

/** @param {any} book @param {number} count */
function fills(book, count) {
  const shown = count > book.fills.length ? `the first ${book.fills.length.toLocaleString("en-US")} of ${count.toLocaleString("en-US")}; fills.csv has them all` : `${count.toLocaleString("en-US")} · a click leads to the chart`;
  const box = panel("", "Fills", shown);
  if (!count) { box.append(made("p", "empty", "Nothing was filled.")); return; }
  table(box, `${book.book_id}-fills`, [
    { key: "id", title: "#" },
    { key: "ts_ns", title: "time", left: true, html: (row) => timeText(row.ts_ns / MS) },
    { key: "leg_id", title: "leg", left: true },
    { key: "side", title: "side", left: true, html: (row) => `<span class="${row.side}">${row.side.toUpperCase()}</span>` },
    { key: "qty", title: "qty" }, { key: "price", title: "price" },
    { key: "role", title: "role", left: true, html: (row) => `${row.role}${row.slot ? ` <span class="dim">${escaped(row.slot)}</span>` : ""}` },
    { key: "is_maker", title: "liquidity", left: true, value: (row) => row.is_maker ? "maker" : "taker" },
    { key: "fee", title: "fee", value: (row) => row.fee || 0, html: (row) => cost(row.fee) }, { key: "slippage", title: "slippage", value: (row) => row.slippage || 0, html: (row) => cost(row.slippage) },
    { key: "cause", title: "follows", value: (row) => row.cause || "", html: (row) => row.cause ? "#" + row.cause : "" },
    { key: "latency_ns", title: "after", html: (row) => row.latency_ns === undefined || row.latency_ns === null ? "" : lengthText(row.latency_ns) },
    { key: "order_id", title: "order", left: true },
  ], book.fills, (row) => row.ts_ns / MS);
}

/** @param {any} book */
function legs(book) {
  const box = panel("", "Legs at the end");
  table(box, `${book.book_id}-legs`, [
    { key: "leg_id", title: "leg", left: true, html: (row) => `<b style="color:var(${legColor(book, row.leg_id)})">${escaped(row.leg_id)}</b>` },
    { key: "account_id", title: "account", left: true }, { key: "instrument_id", title: "instrument", left: true },
    { key: "net_qty", title: "net qty", value: (row) => row.net_qty || 0, html: (row) => signed(row.net_qty || 0) },
    { key: "mark", title: "mark", html: (row) => row.mark ?? "" },
    { key: "realized", title: "realized", value: (row) => row.realized || 0, html: (row) => `<span title="${row.realized || 0}">${money(row.realized || 0)}</span>` },
    { key: "unrealized", title: "unrealized", value: (row) => row.unrealized || 0, html: (row) => `<span title="${row.unrealized || 0}">${money(row.unrealized || 0)}</span>` },
    { key: "funding", title: "funding", value: (row) => row.funding || 0, html: (row) => money(row.funding || 0) },
    { key: "fees", title: "fees", value: (row) => row.fees || 0, html: (row) => money(row.fees || 0, true) },
    { key: "volume", title: "volume", value: (row) => row.volume || 0, html: (row) => money(row.volume || 0, true) },
    { key: "fills", title: "fills", value: (row) => row.fills || 0, html: (row) => `${row.fills || 0} <span class="dim">${row.maker_fills || 0} maker</span>` },
  ], book.legs);
}

/** @param {any} book */
function alarms(book) {
  if (!(book.alarms || []).length) return;
  const box = panel("", "Alarms", `${book.alarms.length}`);
  table(box, `${book.book_id}-alarms`, [
    { key: "ts_ns", title: "time", left: true, html: (row) => timeText(row.ts_ns / MS) },
    { key: "kind", title: "kind", left: true, html: (row) => `<b class="bad">${plainWord(row.kind)}</b>` }, { key: "text", title: "text", left: true, wrap: true },
  ], book.alarms, (row) => row.ts_ns / MS);
}

/** @param {any} book */
function run(book) {
  const box = panel("", "This run");
  const rows = [["policy", book.policy], ["config", `${result.config} (sha ${result.config_sha.slice(0, 7)})`], ["seed", result.seed], ["market rows", Number(result.rows || 0).toLocaleString("en-US")],
    ["orders", `${(book.orders || 0).toLocaleString("en-US")}, ${(book.cancels || 0).toLocaleString("en-US")} canceled, ${book.refused || 0} refused`], ["mode at the end", (book.mode || "running") + (book.mode_reason ? ": " + book.mode_reason : "")],
    ...result.sources.map((/** @type {any} */ source) => [`data ${source.venue_id}`, `${source.file}${source.digest ? " · " + source.digest : ""}`])];
  box.append(made("div", "pairs", rows.map(([name, value]) => `<div><span>${escaped(name)}</span><b>${escaped(value)}</b></div>`).join("")));
  const params = Object.entries(book.params || {});
  if (params.length) box.append(made("h2", "", "Parameters"), made("div", "pairs", params.map(([name, value]) => `<div><span>${escaped(name)}</span><b>${escaped(value)}</b></div>`).join("")));
}

function draw() {
  const before = axis ? [axis.from, axis.to] : null;
  palette.clear();
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  main.innerHTML = ""; hideTip();
  const book = result.books[shownBook];
  book.fills = book.fills || [];
  book.byId = new Map(book.fills.map((/** @type {any} */ fill) => [fill.id, fill]));
  axis = new Axis(result.from_ts_ns / MS, result.to_ts_ns / MS);
  if (before) { axis.from = before[0]; axis.to = before[1]; }
  if ((result.notes || []).length) panel("", "To know").append(made("ul", "notes", result.notes.map((/** @type {string} */ note) => `<li>${escaped(note)}</li>`).join("")));
  kpis(book, page.facts[shownBook]);
  const isHedged = book.legs.length > 1;
  identity(book); equity(book); prices(book); exposure(book);
  if (isHedged) latency(book);
  if ((book.levels || []).length) levels(book);
  if ((book.rounds || []).length) rounds(book);
  if (isHedged) unhedged(book);
  holds(book); alarms(book); fills(book, page.fills[shownBook]); legs(book); run(book);
  const last = main.querySelectorAll(".w6");
  if (last.length % 2) last[last.length - 1].classList.remove("w6");
  const step = Math.max(1000, axis.whole[1] - axis.whole[0]);
  const span = /** @type {HTMLElement} */ (document.getElementById("span"));
  span.textContent = `${timeText(axis.whole[0]).slice(0, 19)} to ${timeText(axis.whole[1]).slice(0, 19)} ${clock.local ? "local" : "UTC"} · ${lengthText(step * MS)}`;
}

function start() {
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: light)");
  let theme = "auto";
  const paint = () => { root.dataset.theme = theme === "auto" ? (system.matches ? "light" : "dark") : theme; palette.clear(); if (axis) axis.redraw(); };
  const themeButton = /** @type {HTMLElement} */ (document.getElementById("theme")), zoneButton = /** @type {HTMLElement} */ (document.getElementById("zone"));
  themeButton.addEventListener("click", () => { theme = { auto: "dark", dark: "light", light: "auto" }[theme] || "auto"; themeButton.textContent = theme; paint(); });
  system.addEventListener("change", paint);
  zoneButton.addEventListener("click", () => { clock.local = !clock.local; zoneButton.textContent = clock.local ? "local" : "UTC"; draw(); });
  const books = /** @type {HTMLElement} */ (document.getElementById("books"));
  result.books.forEach((/** @type {any} */ book, /** @type {number} */ index) => {
    const button = made("button", "", `${escaped(book.book_id)} <span class="dim">${escaped(book.policy)}</span>`);
    button.addEventListener("click", () => { shownBook = index; for (const each of books.children) each.setAttribute("aria-current", String(each === button)); draw(); });
    button.setAttribute("aria-current", String(index === 0));
    books.append(button);
  });
  /** @type {HTMLElement} */ (document.getElementById("footer")).textContent = `hedgerow ${result.version} · drag to zoom · shift-drag to pan · ctrl-wheel or pinch to zoom · double-click for all · this file needs no network`;
  paint();
  draw();
}
start();
