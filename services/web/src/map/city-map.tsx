import { useEffect, useRef, useState } from "react";
import { loadStreetMap } from "./load-street-map.ts";
import type { MapScene } from "./map-scene.ts";
import { type MapView, openMapView } from "./map-view.ts";
import type { StreetMap } from "./street.ts";

const RETRY_MS = 5_000;

/** The streets of the city with what moves on them. What is to be known of it stands beside it as text. */
export function CityMap({ scene }: { scene: MapScene }) {
  const map = useStreetMap();
  const container = useRef<HTMLDivElement>(null);
  const streetsCanvas = useRef<HTMLCanvasElement>(null);
  const sceneCanvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState<MapView | null>(null);
  const [following, setFollowing] = useState(true);

  useEffect(() => {
    if (!map || !container.current || !streetsCanvas.current || !sceneCanvas.current) return;
    const opened = openMapView({
      container: container.current,
      streetsCanvas: streetsCanvas.current,
      sceneCanvas: sceneCanvas.current,
      map,
      onFollowing: setFollowing,
    });
    setView(opened);
    setFollowing(true);
    return () => {
      setView(null);
      opened.close();
    };
  }, [map]);
  useEffect(() => view?.show(scene), [view, scene]);

  return (
    <div className="map">
      <div
        className="map-canvas"
        ref={container}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move the map, plus and minus zoom.
        tabIndex={0}
        role="application"
        aria-label="Map with the courier. Arrow keys move it, plus and minus zoom."
      >
        <canvas ref={streetsCanvas} />
        <canvas ref={sceneCanvas} />
      </div>
      {!map && <p className="map-loading">Drawing the streets…</p>}
      <div className="map-buttons">
        <button type="button" onClick={() => view?.zoom(1.8)} aria-label="Zoom in">
          <svg viewBox="0 0 20 20" className="icon" aria-hidden="true">
            <path d="M10 4.5v11M4.5 10h11" />
          </svg>
        </button>
        <button type="button" onClick={() => view?.zoom(1 / 1.8)} aria-label="Zoom out">
          <svg viewBox="0 0 20 20" className="icon" aria-hidden="true">
            <path d="M4.5 10h11" />
          </svg>
        </button>
        <button
          type="button"
          onClick={() => view?.recenter()}
          aria-label="Follow the courier on the map"
          aria-pressed={following}
        >
          <svg viewBox="0 0 20 20" className="icon" aria-hidden="true">
            <circle cx="10" cy="10" r="4.5" />
            <path d="M10 2.5v3M10 14.5v3M2.5 10h3M14.5 10h3" />
          </svg>
        </button>
      </div>
      <p className="map-credit">
        ©{" "}
        <a href="https://www.openstreetmap.org/copyright" target="_blank" rel="noreferrer">
          OpenStreetMap contributors
        </a>
        , ODbL
      </p>
    </div>
  );
}

/** `null` until the streets are there. A failed fetch is tried again. */
function useStreetMap(): StreetMap | null {
  const [map, setMap] = useState<StreetMap | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let closed = false;
    const load = () => {
      loadStreetMap().then(
        (loaded) => closed || setMap(loaded),
        () => {
          if (!closed) timer = setTimeout(load, RETRY_MS);
        },
      );
    };
    load();
    return () => {
      closed = true;
      clearTimeout(timer);
    };
  }, []);
  return map;
}
