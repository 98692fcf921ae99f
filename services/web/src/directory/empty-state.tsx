import type { OwnEntries } from "./directory.ts";
import { OwnTokenForm } from "./own-token-form.tsx";
import type { DirectoryState } from "./poll-directory.ts";

/** What the page shows while there is nobody to look at. */
export function EmptyState(props: {
  phase: DirectoryState["phase"];
  onUse(own: OwnEntries): void;
}) {
  const { phase, onUse } = props;
  if (phase === "loading") return <p className="empty-loading">Looking for the city…</p>;
  return (
    <section className="panel empty">
      <h1>{phase === "unreachable" ? "The platform does not answer" : "Nobody is in town yet"}</h1>
      {phase === "unreachable" && (
        <p>This page asks again every two seconds. Is the platform running?</p>
      )}
      {phase === "absent" && (
        <p>
          The simulator fills a city with vendors, buyers and couriers. Start it together with the
          platform, and this page comes alive by itself:
        </p>
      )}
      {phase === "present" && <p>The simulator is up but has opened no shop yet.</p>}
      <pre>
        <code>npm start</code>
      </pre>
      <h2>Or look with a token of your own</h2>
      <OwnTokenForm onUse={onUse} />
    </section>
  );
}
