import type { ViewSize } from "./camera.ts";

/** Gives the canvas a pixel for each pixel of the screen. Clears it. */
export function resizeCanvas(canvas: HTMLCanvasElement, { width, height }: ViewSize): void {
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
}

/** The canvas to draw on, in CSS pixels. */
export function drawingContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2d canvas");
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  return context;
}
