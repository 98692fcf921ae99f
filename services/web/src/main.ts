import "./configure-zod.ts";
import "@fontsource-variable/figtree/wght.css";
import "./theme.css";
import "./app.css";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no element #root");
createRoot(root).render(createElement(StrictMode, null, createElement(App)));
