import "./configure-zod.ts";
import "@fontsource-variable/figtree/wght.css";
import "./theme.css";
import "./app.css";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { PanelBoundary } from "./panel-boundary.tsx";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no element #root");
// The panels have boundaries of their own; this one is for what lies between them.
const boundary = { title: "Localstreet", className: "page-failed", children: createElement(App) };
createRoot(root).render(createElement(StrictMode, null, createElement(PanelBoundary, boundary)));
