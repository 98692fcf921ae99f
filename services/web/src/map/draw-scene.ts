import type { DriverState } from "@localstreet/contracts/tracking";
import { type Camera, toScreen, type ViewSize } from "./camera.ts";
import type { MapColors } from "./map-colors.ts";
import type { PlanePoint } from "./projection.ts";

/** What is drawn over the streets. */
export interface SceneFrame {
  /** Where the courier is drawn now; `null` before the first fix. */
  readonly courier: PlanePoint | null;
  readonly state: DriverState;
  readonly accuracyMeters: number | null;
  /** Where it was, oldest first. */
  readonly trail: readonly PlanePoint[];
  readonly shop: { readonly point: PlanePoint; readonly name: string } | null;
  readonly destination: PlanePoint | null;
}

export function drawScene(
  context: CanvasRenderingContext2D,
  scene: SceneFrame,
  camera: Camera,
  size: ViewSize,
  colors: MapColors,
): void {
  const at = (point: PlanePoint) => toScreen(camera, size, point);
  const color = scene.state === "live" ? colors.courier : colors.courierStale;
  if (scene.courier) drawTrail(context, [...scene.trail, scene.courier].map(at), color);
  if (scene.destination) drawDestination(context, at(scene.destination), colors);
  if (scene.shop) drawShop(context, at(scene.shop.point), scene.shop.name, size, colors);
  if (!scene.courier) return;
  const accuracyPixels = (scene.accuracyMeters ?? 0) / camera.metersPerPixel;
  drawCourier(context, at(scene.courier), accuracyPixels, color, colors);
}

/** Fading towards its beginning. */
function drawTrail(
  context: CanvasRenderingContext2D,
  line: readonly PlanePoint[],
  color: string,
): void {
  context.save();
  context.strokeStyle = color;
  context.lineWidth = 4;
  context.lineCap = "butt";
  for (let i = 1; i < line.length; i++) {
    const [from, to] = [line[i - 1], line[i]];
    if (!from || !to) continue;
    context.globalAlpha = 0.08 + 0.6 * (i / line.length) ** 1.6;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
  context.restore();
}

function drawCourier(
  context: CanvasRenderingContext2D,
  { x, y }: PlanePoint,
  accuracyPixels: number,
  color: string,
  colors: MapColors,
): void {
  context.save();
  context.fillStyle = color;
  if (accuracyPixels > 12) {
    context.globalAlpha = 0.13;
    disc(context, x, y, Math.min(accuracyPixels, 400));
  }
  context.globalAlpha = 1;
  context.shadowColor = "rgb(0 0 0 / 0.35)";
  context.shadowBlur = 8;
  context.shadowOffsetY = 2;
  context.fillStyle = colors.pinText;
  disc(context, x, y, 11);
  context.shadowColor = "transparent";
  context.fillStyle = color;
  disc(context, x, y, 8);
  context.restore();
}

function drawShop(
  context: CanvasRenderingContext2D,
  { x, y }: PlanePoint,
  name: string,
  size: ViewSize,
  colors: MapColors,
): void {
  context.save();
  context.font = '600 12px "Figtree Variable", system-ui, sans-serif';
  context.textBaseline = "middle";
  const width = context.measureText(name).width + 20;
  // At the edge the name moves inwards, as long as the shop itself is in view.
  const inset = Math.min(width / 2 + 6, size.width / 2);
  const inside = Math.min(size.width - inset, Math.max(inset, x));
  const middle = Math.abs(inside - x) < width / 2 - 12 ? inside : x;
  context.shadowColor = "rgb(0 0 0 / 0.25)";
  context.shadowBlur = 6;
  context.shadowOffsetY = 2;
  context.fillStyle = colors.pin;
  context.beginPath();
  context.roundRect(middle - width / 2, y - 35, width, 24, 8);
  context.moveTo(x - 5, y - 11.5);
  context.lineTo(x, y - 5);
  context.lineTo(x + 5, y - 11.5);
  context.fill();
  disc(context, x, y, 3.5);
  context.shadowColor = "transparent";
  context.fillStyle = colors.pinText;
  context.textAlign = "center";
  context.fillText(name, middle, y - 22.5);
  context.restore();
}

/** A ring with a dot: where the courier is expected. */
function drawDestination(
  context: CanvasRenderingContext2D,
  { x, y }: PlanePoint,
  colors: MapColors,
): void {
  context.save();
  context.fillStyle = colors.pinText;
  disc(context, x, y, 11);
  context.lineWidth = 3;
  context.strokeStyle = colors.pin;
  context.beginPath();
  context.arc(x, y, 8.5, 0, 2 * Math.PI);
  context.stroke();
  context.fillStyle = colors.pin;
  disc(context, x, y, 3.5);
  context.restore();
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
