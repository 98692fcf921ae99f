import type { PlanePoint } from "./projection.ts";

export interface GestureHandlers {
  onPan(dxPixels: number, dyPixels: number): void;
  /** `factor` above 1 comes closer; `at` is in pixels of the element. */
  onZoom(factor: number, at: PlanePoint): void;
}

const KEY_PAN_PIXELS = 60;

/** Dragging, pinching, the wheel, double clicks and the keyboard on one element. @returns how to stop. */
export function followGestures(element: HTMLElement, handlers: GestureHandlers): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  const fingers = new Map<number, PlanePoint>();

  const pointIn = (event: MouseEvent): PlanePoint => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const middle = (): PlanePoint => {
    const all = [...fingers.values()];
    const sum = all.reduce((a, b) => ({ x: a.x + b.x, y: a.y + b.y }), { x: 0, y: 0 });
    return { x: sum.x / all.length, y: sum.y / all.length };
  };
  const spread = (): number => {
    const [a, b] = [...fingers.values()];
    return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  };

  element.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, pointIn(event));
    },
    { signal },
  );
  element.addEventListener(
    "pointermove",
    (event) => {
      if (!fingers.has(event.pointerId)) return;
      const [middleBefore, spreadBefore] = [middle(), spread()];
      fingers.set(event.pointerId, pointIn(event));
      const at = middle();
      handlers.onPan(at.x - middleBefore.x, at.y - middleBefore.y);
      const spreadNow = spread();
      if (spreadBefore > 0 && spreadNow > 0) handlers.onZoom(spreadNow / spreadBefore, at);
    },
    { signal },
  );
  const lift = (event: PointerEvent) => fingers.delete(event.pointerId);
  element.addEventListener("pointerup", lift, { signal });
  element.addEventListener("pointercancel", lift, { signal });

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // Lines and pages count as so many pixels; a pinch on a touchpad comes as a small wheel with Control.
      const pixels = event.deltaY * (event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 16 : 400);
      handlers.onZoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), pointIn(event));
    },
    { signal, passive: false },
  );
  element.addEventListener("dblclick", (event) => handlers.onZoom(2, pointIn(event)), { signal });

  element.addEventListener(
    "keydown",
    (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const center = { x: element.clientWidth / 2, y: element.clientHeight / 2 };
      const actions: Record<string, () => void> = {
        ArrowLeft: () => handlers.onPan(KEY_PAN_PIXELS, 0),
        ArrowRight: () => handlers.onPan(-KEY_PAN_PIXELS, 0),
        ArrowUp: () => handlers.onPan(0, KEY_PAN_PIXELS),
        ArrowDown: () => handlers.onPan(0, -KEY_PAN_PIXELS),
        "+": () => handlers.onZoom(1.5, center),
        "=": () => handlers.onZoom(1.5, center),
        "-": () => handlers.onZoom(1 / 1.5, center),
      };
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    },
    { signal },
  );
  return () => stopping.abort();
}
