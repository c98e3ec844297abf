"use strict";
// The session of this tab: who signed in, and requests that carry their token. It is loaded before
// the page is drawn, so that a page asked for without a token does not flash before the real one.
globalThis.glassware = (() => {
  const KEY = "glassware.session";
  const root = document.documentElement;
  const read = () => JSON.parse(sessionStorage.getItem(KEY) ?? "null");

  function keep(session) {
    if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
    else sessionStorage.removeItem(KEY);
    root.toggleAttribute("data-session", Boolean(session));
  }

  function granted(grant, who) {
    return { who, token: grant.access_token, refresh: grant.refresh_token,
             until: Date.now() + (grant.expires_in - 10) * 1000 };
  }

  async function signIn(url, email, password) {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ email, password }),
    });
    const document = await answer.json();
    if (!answer.ok) throw new Error(document.detail ?? document.title);
    keep(granted(document, email));
  }

  // One renewal at a time: a refresh token is good once.
  let renewing = null;
  async function renew(session) {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: session.refresh });
    const answer = await fetch(`${root.dataset.issuer}/oauth/token`, { method: "POST", body });
    keep(answer.ok ? granted(await answer.json(), session.who) : null);
  }

  async function token() {
    const session = read();
    if (session?.refresh && Date.now() > session.until) {
      renewing ??= renew(session).finally(() => { renewing = null; });
      await renewing;
    }
    return read()?.token;
  }

  // The token goes to this service only.
  async function call(url, options = {}) {
    const headers = new Headers(options.headers);
    const bearer = await token();
    if (bearer && new URL(url, location).origin === location.origin) {
      headers.set("Authorization", `Bearer ${bearer}`);
    }
    return fetch(url, { cache: "no-store", ...options, headers });
  }

  // The subject of the token, for filling in one's own URL; nothing is decided by it.
  function subject() {
    try {
      const claims = read().token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(atob(claims)).sub;
    } catch {
      return null;
    }
  }

  keep(read());
  return { call, keep, read, signIn, subject, token };
})();
