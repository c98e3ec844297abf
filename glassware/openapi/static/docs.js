"use strict";
// Swagger UI: its requests carry the token of the tab, it is as dark as the system, and those who
// hear the page are told what it leaves without a name or a level too deep.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  const docs = document.getElementById("docs");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const adapt = () => root.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", adapt);
  adapt();

  const NAMES = {
    select: "Choice", textarea: "Body", input: "Value", ".copy-to-clipboard button": "Copy", ".close-modal": "Close",
  };
  const LEVELS = {
    "h3.opblock-tag": 2, ".models h4": 2, ".modal-ux-header h3": 2, ".opblock-section h4": 3, ".auth-container h4": 3,
  };

  function tell() {
    for (const [selector, name] of Object.entries(NAMES)) {
      for (const each of docs.querySelectorAll(`${selector}:not([aria-label])`)) {
        if (!each.labels?.length) each.ariaLabel = each.closest("tr")?.dataset.paramName ?? name;
      }
    }
    for (const [selector, level] of Object.entries(LEVELS)) {
      for (const each of docs.querySelectorAll(selector)) each.ariaLevel = String(level);
    }
    for (const each of docs.querySelectorAll(".responses-table[role]")) each.removeAttribute("role");
    for (const each of docs.querySelectorAll(".modal-btn[aria-label]")) each.removeAttribute("aria-label");
    for (const each of docs.querySelectorAll(".microlight")) each.tabIndex = 0;
  }
  new MutationObserver(tell).observe(docs, { childList: true, subtree: true });

  SwaggerUIBundle({
    url: `${root.dataset.base}/openapi.json`,
    dom_id: "#docs",
    defaultModelsExpandDepth: 0,
    syntaxHighlight: { theme: "nord" },
    tryItOutEnabled: true,
    validatorUrl: null,
    requestInterceptor: async (request) => {
      const token = await glassware.token();
      const ours = new URL(request.url, location).origin === location.origin;
      if (token && ours) request.headers.Authorization ??= `Bearer ${token}`;
      return request;
    },
  });
});
