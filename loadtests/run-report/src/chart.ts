/** One chart of the page, as SVG text. Time runs over a width that all charts share, so that they line up. */
export interface ChartFrame {
  readonly title: string;
  readonly unit: string;
  /** Seconds that the run lasted. */
  readonly seconds: number;
  readonly scale: Scale;
  /** Drawn first to last. */
  readonly layers: readonly Layer[];
  /** Numbered as they come. */
  readonly marks: readonly { readonly second: number; readonly label: string }[];
  /** What is shown of one second under the pointer. */
  readonly tooltip: (second: number) => string;
}

/** `values[i]` is second `i`; `undefined` is a gap. */
export type Layer =
  | { readonly kind: "area" | "line"; readonly style: string; readonly values: readonly Value[] }
  | {
      readonly kind: "band";
      readonly style: string;
      readonly low: readonly Value[];
      readonly high: readonly Value[];
    };
export type Value = number | undefined;

export interface Scale {
  /** 0 at the bottom, 1 at the top. */
  position(value: number): number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

const WIDTH = 500;
const LEFT = 52;
const RIGHT = 10;
const TOP = 22;
const PLOT = 128;
const BOTTOM = 24;
/** Of a second, to each side. */
const LONELY = 0.3;

/** From 0 to a round number above `max`. */
export function linearScale(max: number): Scale {
  const step = roundStep(Math.max(max, 1) / 3);
  const top = Math.max(1, Math.ceil((max * 1.02) / step)) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  return {
    position: (value) => value / top,
    ticks: ticks.map((value) => ({ value, label: shortNumber(value) })),
  };
}

/** Decades around `min` and `max`, both above 0. */
export function logScale(min: number, max: number): Scale {
  const low = Math.floor(Math.log10(min));
  const high = Math.max(low + 1, Math.ceil(Math.log10(max)));
  const decades = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  return {
    position: (value) => Math.max(0, (Math.log10(value) - low) / (high - low)),
    ticks: decades.map((decade) => ({ value: 10 ** decade, label: formatMs(10 ** decade) })),
  };
}

export function renderChart(frame: ChartFrame): string {
  const { seconds, scale, layers, marks } = frame;
  const perSecond = (WIDTH - LEFT - RIGHT) / Math.max(seconds, 1);
  const x = (second: number) => LEFT + second * perSecond;
  const y = (value: number) => TOP + PLOT * (1 - Math.min(1, scale.position(value)));
  const parts: string[] = [];

  for (const { value, label } of scale.ticks) {
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y(value))}" y2="${px(y(value))}"/>`,
      `<text class="tick" x="${LEFT - 8}" y="${px(y(value) + 4)}" text-anchor="end">${label}</text>`,
    );
  }
  for (const second of timeTicks(seconds)) {
    parts.push(
      `<text class="tick" x="${px(x(second))}" y="${TOP + PLOT + 18}" text-anchor="middle">${clock(second)}</text>`,
    );
  }
  for (const layer of layers) parts.push(renderLayer(layer, (second) => x(second + 0.5), y));
  for (const [index, { second, label }] of marks.entries()) {
    const at = px(x(second));
    parts.push(
      `<g class="mark"><line x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${TOP + PLOT}"/>`,
      `<circle cx="${at}" cy="${TOP - 11}" r="8"/><text x="${at}" y="${TOP - 7}" text-anchor="middle">${index + 1}</text>`,
      `<title>${escapeText(label)}</title></g>`,
    );
  }
  for (let second = 0; second < seconds; second++) {
    parts.push(
      `<rect class="hover" x="${px(x(second))}" width="${px(perSecond)}" y="${TOP}" height="${PLOT}"><title>${escapeText(frame.tooltip(second))}</title></rect>`,
    );
  }
  const name = escapeText(frame.title);
  return `<figure><figcaption>${name} <span>${escapeText(frame.unit)}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${TOP + PLOT + BOTTOM}" role="img" aria-label="${name}">${parts.join("")}</svg></figure>`;
}

function renderLayer(layer: Layer, x: (second: number) => number, y: (value: number) => number) {
  if (layer.kind === "band") {
    return runs(layer.high.map((high, at) => high !== undefined && layer.low[at] !== undefined))
      .map(([from, to]) => {
        const upper = points(layer.high, from, to, x, y);
        const lower = points(layer.low, from, to, x, y).reverse();
        return `<path class="${layer.style}" d="M${[...upper, ...lower].join("L")}Z"/>`;
      })
      .join("");
  }
  return runs(layer.values.map((value) => value !== undefined))
    .map(([from, to]) => {
      const along = points(layer.values, from, to, x, y);
      if (layer.kind === "line") return `<path class="${layer.style}" d="M${along.join("L")}"/>`;
      const floor = px(y(0));
      return `<path class="${layer.style}" d="M${px(x(from))} ${floor}L${along.join("L")}L${px(x(to - 1))} ${floor}Z"/>`;
    })
    .join("");
}

/** Two points at least, so that a lonely second is seen. */
function points(
  values: readonly Value[],
  from: number,
  to: number,
  x: (second: number) => number,
  y: (value: number) => number,
): string[] {
  const at = (second: number, index: number) =>
    `${px(x(second))} ${px(y(values[index] as number))}`;
  if (to - from === 1) return [at(from - LONELY, from), at(from + LONELY, from)];
  return Array.from({ length: to - from }, (_, index) => at(from + index, from + index));
}

/** Stretches of `true`: first index and the one after the last. */
function runs(present: readonly boolean[]): [number, number][] {
  const found: [number, number][] = [];
  for (const [index, is] of present.entries()) {
    const last = found.at(-1);
    if (is && last?.[1] === index) last[1] = index + 1;
    else if (is) found.push([index, index + 1]);
  }
  return found;
}

function timeTicks(seconds: number): number[] {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600].find(
    (each) => seconds / each <= 7,
  );
  const every = step ?? 7_200;
  return Array.from({ length: Math.floor(seconds / every) + 1 }, (_, index) => index * every);
}

function clock(second: number): string {
  return `${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}`;
}

function roundStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * decade >= rough) ?? 10;
  return Math.max(1, step * decade);
}

export function shortNumber(value: number): string {
  if (value >= 1_000_000) return `${+(value / 1_000_000).toFixed(1)}M`;
  if (value >= 10_000) return `${+(value / 1_000).toFixed(1)}k`;
  return value.toLocaleString("en");
}

export function formatMs(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(0)} s`;
  if (ms >= 1_000) return `${+(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${+ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
