import { Component, type ReactNode } from "react";

/** Shows one panel, or says that it has failed: the fault of one panel leaves the others. */
export class PanelBoundary extends Component<
  {
    title: string;
    /** The panel's own class, which gives it its place. */
    className: string;
    /** Opens anew what the panel shows: the fault may be in there. */
    onRetry?: () => void;
    children: ReactNode;
  },
  { failed: boolean }
> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    const { title, className, onRetry } = this.props;
    return (
      <section className={`panel panel-failed ${className}`} role="alert">
        <h2>{title}</h2>
        <p>Something went wrong in this part of the page. The rest goes on.</p>
        <button
          type="button"
          className="button"
          onClick={() => {
            onRetry?.();
            this.setState({ failed: false });
          }}
        >
          Try again
        </button>
      </section>
    );
  }
}
