import type { DriverState } from "@localstreet/contracts/tracking";
import {
  blend,
  type Camera,
  fit,
  isInView,
  type Padding,
  panBy,
  type ViewSize,
  zoomBy,
} from "./camera.ts";
import { drawLabels } from "./draw-labels.ts";
import { drawScene } from "./draw-scene.ts";
import { drawStreets } from "./draw-streets.ts";
import { type MapColors, readMapColors } from "./map-colors.ts";
import { followGestures } from "./map-gestures.ts";
import { isMoving, type Motion, moveTo, positionAt, standAt } from "./motion.ts";
import { createProjection, type Place, type PlanePoint } from "./projection.ts";
import type { StreetMap } from "./street.ts";
import { indexStreets } from "./street-index.ts";

/** What the map shows, in degrees. `key` names the delivery: another one is another view. */
export interface MapScene {
  readonly key: string | null;
  /** Newest last. `id` tells fixes apart. */
  readonly fixes: readonly (Place & {
    readonly id: string;
    readonly accuracyMeters: number | null;
  })[];
  readonly state: DriverState;
  readonly shop: { readonly place: Place; readonly name: string } | null;
  readonly destination: Place | null;
}

export interface MapView {
  show(scene: MapScene): void;
  zoom(factor: number): void;
  /** Back to the courier, and with it from now on. */
  recenter(): void;
  close(): void;
}

/** How close the map comes by itself, in metres a pixel. */
const CLOSEST_FIT = 1.6;
const FIT_PADDING: Padding = { top: 56, right: 76, bottom: 36, left: 60 };
/** The courier is followed when it comes nearer to the edge than this. */
const FOLLOW_PADDING: Padding = { top: 40, right: 60, bottom: 28, left: 40 };
const FLIGHT_MS = 900;

/**
 * A map on two canvases: streets below, which are drawn only when the view changes, and what moves above. The view
 * follows the courier until somebody moves the map; `onFollowing` says which of the two it is.
 */
export function openMapView(options: {
  container: HTMLElement;
  streetsCanvas: HTMLCanvasElement;
  sceneCanvas: HTMLCanvasElement;
  map: StreetMap;
  onFollowing(following: boolean): void;
}): MapView {
  const { container, streetsCanvas, sceneCanvas, map, onFollowing } = options;
  const projection = createProjection(map.origin);
  const index = indexStreets(map.streets);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stopping = new AbortController();

  let size: ViewSize = { width: 0, height: 0 };
  let coveredBelow = 0;
  let colors: MapColors = readMapColors(container);
  let camera: Camera = { x: 0, y: 0, metersPerPixel: 9 };
  let flight: { from: Camera; to: Camera; startedAt: number } | null = null;
  let following = true;
  let scene: MapScene = { key: null, fixes: [], state: "lost", shop: null, destination: null };
  let motion: Motion | null = null;
  let lastFix: { id: string; at: number } | null = null;
  let streetsDirty = true;
  let frame = 0;

  function requestFrame(): void {
    frame ||= requestAnimationFrame(paint);
  }

  function paint(now: number): void {
    frame = 0;
    if (size.width === 0 || size.height === 0) return;
    const courier = motion ? positionAt(motion, now) : null;
    if (flight) {
      const t = Math.min(1, (now - flight.startedAt) / FLIGHT_MS);
      camera = blend(flight.from, flight.to, t);
      if (t === 1) flight = null;
      streetsDirty = true;
    } else if (
      following &&
      courier &&
      !isInView(camera, size, uncovered(FOLLOW_PADDING), courier)
    ) {
      fly({ ...camera, ...courier }, now);
    }
    if (streetsDirty) {
      streetsDirty = false;
      const context = begin(streetsCanvas);
      drawStreets(context, index, camera, size, colors);
      drawLabels(context, index, camera, size, colors);
    }
    const context = begin(sceneCanvas);
    context.clearRect(0, 0, size.width, size.height);
    const toPlane = (place: Place) => projection.toPlane(place);
    drawScene(
      context,
      {
        courier,
        state: scene.state,
        accuracyMeters: scene.fixes.at(-1)?.accuracyMeters ?? null,
        trail: scene.fixes.slice(0, -1).map(toPlane),
        shop: scene.shop && { point: toPlane(scene.shop.place), name: scene.shop.name },
        destination: scene.destination && toPlane(scene.destination),
      },
      camera,
      size,
      colors,
    );
    if (flight || (motion && isMoving(motion, now))) requestFrame();
  }

  /** A context whose unit is the CSS pixel. */
  function begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no 2d canvas");
    const ratio = window.devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  function uncovered(padding: Padding): Padding {
    return { ...padding, bottom: padding.bottom + coveredBelow };
  }

  function fly(to: Camera, now: number): void {
    if (calm.matches) {
      camera = to;
      streetsDirty = true;
    } else {
      flight = { from: camera, to, startedAt: now };
    }
    requestFrame();
  }

  function fitScene(animate: boolean): void {
    const places = [scene.fixes.at(-1), scene.destination, scene.shop?.place];
    const points = places.flatMap((place): PlanePoint[] =>
      place ? [projection.toPlane(place)] : [],
    );
    const to = fit(points, size, uncovered(FIT_PADDING), CLOSEST_FIT);
    if (!to) return;
    if (animate) fly(to, performance.now());
    else moveCamera(to);
  }

  function setFollowing(next: boolean): void {
    if (following === next) return;
    following = next;
    onFollowing(next);
  }

  function moveCamera(next: Camera): void {
    camera = next;
    flight = null;
    streetsDirty = true;
    requestFrame();
  }

  const resizing = new ResizeObserver(() => {
    const first = size.width === 0;
    size = { width: container.clientWidth, height: container.clientHeight };
    coveredBelow = parseFloat(getComputedStyle(container).getPropertyValue("--map-covered-below"));
    for (const canvas of [streetsCanvas, sceneCanvas]) {
      canvas.width = Math.round(size.width * devicePixelRatio);
      canvas.height = Math.round(size.height * devicePixelRatio);
    }
    streetsDirty = true;
    if (first) fitScene(false);
    requestFrame();
  });
  resizing.observe(container);
  const redraw = () => {
    colors = readMapColors(container);
    streetsDirty = true;
    requestFrame();
  };
  dark.addEventListener("change", redraw, { signal: stopping.signal });
  void document.fonts.ready.then(redraw);
  const stopGestures = followGestures(container, {
    onPan(dx, dy) {
      setFollowing(false);
      moveCamera(panBy(camera, dx, dy));
    },
    onZoom: (factor, at) => moveCamera(zoomBy(camera, size, factor, at)),
  });

  return {
    show(next) {
      const another = next.key !== scene.key;
      const firstFix = !another && scene.fixes.length === 0 && next.fixes.length > 0;
      const destinationCame = scene.destination === null && next.destination !== null;
      scene = next;
      const now = performance.now();
      if (another) {
        motion = null;
        lastFix = null;
        setFollowing(true);
      }
      const fix = next.fixes.at(-1);
      if (fix && fix.id !== lastFix?.id) {
        const to = projection.toPlane(fix);
        const sinceMs = lastFix ? now - lastFix.at : 0;
        motion = calm.matches ? standAt(to, now) : moveTo(motion, to, now, sinceMs);
        lastFix = { id: fix.id, at: now };
      }
      if (following && (another || firstFix || destinationCame)) fitScene(size.width > 0);
      requestFrame();
    },
    zoom(factor) {
      const to = zoomBy(camera, size, factor, { x: size.width / 2, y: size.height / 2 });
      fly(to, performance.now());
    },
    recenter() {
      setFollowing(true);
      fitScene(true);
    },
    close() {
      stopping.abort();
      stopGestures();
      resizing.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}
