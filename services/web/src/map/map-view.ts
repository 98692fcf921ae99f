import { raise } from "@localstreet/contracts/raise";
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
import { EMPTY_SCENE, type MapScene, placesAhead } from "./map-scene.ts";
import { isMoving, type Motion, moveTo, positionAt, standAt } from "./motion.ts";
import { createProjection, type Place } from "./projection.ts";
import { drawingContext, resizeCanvas } from "./sharp-canvas.ts";
import type { StreetMap } from "./street.ts";
import { indexStreets } from "./street-index.ts";

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
/** When what is to be seen takes less than this part of the view, the map comes closer. */
const TOO_FAR_OUT = 0.55;

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
  // The viewer chose the scale: the view moves with the courier, but zooms no more by itself.
  let ownScale = false;
  let scene: MapScene = EMPTY_SCENE;
  let motion: Motion | null = null;
  let lastFix: { id: string; at: number } | null = null;
  let streetsDirty = true;
  let frame = 0;

  function requestFrame(): void {
    if (stopping.signal.aborted) return;
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
      if (ownScale) fly({ ...camera, ...courier }, now);
      else fitScene(true);
    }
    if (streetsDirty) {
      streetsDirty = false;
      const context = drawingContext(streetsCanvas);
      drawStreets(context, index, camera, size, colors);
      drawLabels(context, index, camera, size, colors);
    }
    const context = drawingContext(sceneCanvas);
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

  /** The courier, where it is drawn and where it is going, and what lies ahead of it. */
  function findFit(): Camera | null {
    const points = placesAhead(scene).map((place) => projection.toPlane(place));
    if (motion) points.push(positionAt(motion, performance.now()));
    return fit(points, size, uncovered(FIT_PADDING), CLOSEST_FIT);
  }

  function fitScene(animate: boolean): void {
    const to = findFit();
    if (!to) return;
    ownScale = false;
    if (animate) fly(to, performance.now());
    else moveCamera(to);
  }

  function isTooFarOut(): boolean {
    if (ownScale || flight) return false;
    const to = findFit();
    return to !== null && to.metersPerPixel < camera.metersPerPixel * TOO_FAR_OUT;
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
    for (const canvas of [streetsCanvas, sceneCanvas]) resizeCanvas(canvas, size);
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
  document.fonts.ready.then(redraw).catch(raise);
  const stopGestures = followGestures(container, {
    onPan(dx, dy) {
      setFollowing(false);
      moveCamera(panBy(camera, dx, dy));
    },
    onZoom(factor, at) {
      ownScale = true;
      moveCamera(zoomBy(camera, size, factor, at));
    },
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
      if (following && (another || firstFix || destinationCame || isTooFarOut())) {
        fitScene(size.width > 0);
      }
      requestFrame();
    },
    zoom(factor) {
      ownScale = true;
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
