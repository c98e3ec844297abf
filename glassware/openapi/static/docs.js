"use strict";
// Swagger UI, which sends its requests with the token of the tab, and is as dark as the system.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const adapt = () => root.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", adapt);
  adapt();

  SwaggerUIBundle({
    url: `${root.dataset.base}/openapi.json`,
    dom_id: "#docs",
    deepLinking: true,
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
