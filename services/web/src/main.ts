import "@fontsource-variable/figtree/wght.css";
import "./theme.css";
import "./app.css";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { config } from "zod";
import { App } from "./app.tsx";

// Zod would compile its checks with `new Function`, which the content security policy forbids.
config({ jitless: true });

const root = document.getElementById("root");
if (!root) throw new Error("the page has no element #root");
createRoot(root).render(createElement(StrictMode, null, createElement(App)));
