"use strict";
// Swagger UI, which sends its requests with the token of the tab, and is as dark as the system.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const adapt = () => root.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", adapt);
  adapt();

  // What Swagger UI leaves without a name, or a level too deep, for those who hear the page.
  const docs = document.getElementById("docs");
  new MutationObserver(() => {
    for (const select of docs.querySelectorAll("select:not([aria-label])")) {
      const row = select.closest("tr, .servers, .content-type-wrapper, .response-controls");
      select.ariaLabel = row?.dataset.paramName ?? "Choice";
    }
    for (const tag of docs.querySelectorAll("h3.opblock-tag")) tag.ariaLevel = "2";
  }).observe(docs, { childList: true, subtree: true });

  SwaggerUIBundle({
    url: `${root.dataset.base}/openapi.json`,
    dom_id: "#docs",
    defaultModelsExpandDepth: 0,
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
