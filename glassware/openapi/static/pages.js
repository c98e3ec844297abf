"use strict";
// Makes the pages work with a token: pages are fetched and put in place, forms that write send
// what the API takes, and a problem is shown beside what caused it.
const { call, keep, read, signIn, subject } = globalThis.glassware;
const HTML = "text/html", JSON_TYPE = "application/json", ISSUER = document.documentElement.dataset.issuer;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const parse = (text) => new DOMParser().parseFromString(text, HTML);

// -- Going from page to page

async function visit(url, remember = true) {
  const answer = await call(url, { headers: { Accept: HTML } });
  if (!isPage(answer)) return location.assign(url);
  if (remember) history.pushState(null, "", url);
  if (answer.status === 401) keep(null);
  show(parse(await answer.text()));
}

function isPage(answer) {
  return (answer.headers.get("Content-Type") ?? "").startsWith(HTML);
}

function show(page) {
  document.title = page.title;
  one("main").replaceWith(page.querySelector("main"));
  prepare();
  scrollTo(0, 0);
  one("main h1")?.focus({ preventScroll: true });
}

function prepare() {
  const session = read();
  one("[data-who]").textContent = session?.who ?? "";
  one(".session .who").hidden = !session;
  one(".session details").hidden = Boolean(session);
  one(".session details").open = !session && one("main").dataset.status === "401";
  // A field that takes a person is mostly about oneself.
  for (const input of all(`main input[placeholder^="${ISSUER}/users/"]`)) {
    if (!input.value && input.required && subject()) input.value = `${ISSUER}/users/${subject()}`;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const inside = link.origin === location.origin && !link.hash && !("plain" in link.dataset);
  if (inside && read() && one("main.page")) {
    event.preventDefault();
    visit(link.href).catch(() => location.assign(link.href));
  }
});
addEventListener("popstate", () => {
  if (one("main.page") && !location.hash) visit(location.href, false).catch(() => location.reload());
});

// -- Signing in and out

const actions = {
  signIn: async (form) => {
    await signIn(form.action, form.email.value, form.password.value);
    entered(form);
  },
  token: async (form) => {
    keep({ who: "a token of your own", token: form.token.value.trim() });
    entered(form);
  },
  filter: async (form) => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    await visit(`${form.action}?${new URLSearchParams(given)}`.replace(/\?$/, ""));
  },
  write: async (form, button) => send(form, button.value),
};

function entered(form) {
  form.reset();
  if (one("main.page")) visit(location.href, false);
  else prepare();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const name = Object.keys(actions).find((each) => each in form.dataset);
  if (!name) return;
  event.preventDefault();
  const output = one("output", form);
  output?.replaceChildren();
  event.submitter.disabled = true;
  try {
    await actions[name](form, event.submitter);
  } catch (error) {
    output?.replaceChildren(error.message);
  } finally {
    event.submitter.disabled = false;
  }
});

// -- Writing

async function send(form, method) {
  const headers = { Accept: HTML };
  if (form.dataset.etag) headers["If-Match"] = form.dataset.etag;
  let body;
  if (form.dataset.type && method !== "DELETE") {
    const members = read_members(form, method === "PATCH");
    headers["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : form.dataset.type;
    body = form.dataset.type.includes("json") ? JSON.stringify(members) : new URLSearchParams(members);
  }
  const answer = await call(form.action, { method, headers, body });
  if (!answer.ok) return refused(form, answer);
  const made = answer.headers.get("Location");
  if (made) return visit(made);
  if (answer.status === 204) return method === "DELETE" ? visit(above(form.action)) : done(form);
  return isPage(answer) ? show(parse(await answer.text())) : save(answer);
}

function read_members(form, changed_only) {
  const members = {};
  for (const field of all("[data-kind]", form)) {
    if (changed_only && !has_changed(field)) continue;
    const value = value_of(field);
    if (value !== undefined) members[field.name] = value;
  }
  return members;
}

function has_changed(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") return !field.selectedOptions[0]?.defaultSelected;
  return field.value !== field.defaultValue;
}

function value_of(field) {
  if (field.dataset.kind === "boolean" && field.type === "checkbox") return field.checked;
  if (field.value === "") return "null" in field.dataset ? null : undefined;
  switch (field.dataset.kind) {
    case "boolean": return field.value === "true";
    case "number": return Number(field.value);
    case "instant": return new Date(`${field.value}Z`).toISOString();
    case "json":
      try {
        return JSON.parse(field.value);
      } catch (error) {
        throw new Error(`${field.name} is not JSON: ${error.message}`);
      }
    default: return field.value;
  }
}

async function refused(form, answer) {
  const page = parse(await answer.text());
  const problem = page.querySelector(".problem");
  if (!problem) throw new Error(`${answer.status} ${answer.statusText}`);
  all(".crumbs", problem).forEach((each) => each.remove());
  one("output", form).replaceChildren(problem);
  const wrong = new Set(all("[data-field]", problem).map((each) => each.dataset.field.split(".")[0]));
  for (const field of all("[data-kind]", form)) field.ariaInvalid = String(wrong.has(field.name));
  one("[aria-invalid=true]", form)?.focus();
}

function done(form) {
  form.reset();
  one("output", form).replaceChildren("Done.");
}

function above(url) {
  return url.replace(/\/[^/]*\/?$/, "") || "/";
}

async function save(answer) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))?.[1] ?? "answer";
  link.click();
  URL.revokeObjectURL(link.href);
}

// -- The same as programs get it

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-raw]");
  if (button) {
    const pressed = button.ariaPressed === "true";
    all("[data-raw]").forEach((each) => { each.ariaPressed = "false"; });
    button.ariaPressed = String(!pressed);
    one("#raw").hidden = pressed;
    if (!pressed) await show_raw(button.dataset.raw);
  }
  if (event.target.closest("[data-sign-out]")) {
    keep(null);
    location.reload();
  }
});

async function show_raw(media) {
  const answer = await call(location.href, { headers: { Accept: media } });
  const text = await answer.text();
  const head = ["content-type", "etag", "link", "x-request-id"]
    .filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
  const block = document.createElement("pre");
  block.tabIndex = 0;
  block.textContent = [`HTTP ${answer.status}`, ...head, "", media === JSON_TYPE ? indented(text) : tree(text)].join("\n");
  one("#raw").replaceChildren(block);
}

const indented = (text) => JSON.stringify(JSON.parse(text), null, 2);

function tree(xml) {
  let depth = 0;
  return xml.replace(/>\s*</g, ">\n<").split("\n").map((line) => {
    if (line.startsWith("</")) depth -= 1;
    const shown = "  ".repeat(Math.max(depth, 0)) + line;
    if (/^<[^/?!][^>]*>$/.test(line)) depth += 1;
    return shown;
  }).join("\n");
}

prepare();
if (read() && one("main").dataset.status === "401") visit(location.href, false).catch(() => keep(null));
