// oidc-provider as its documentation has it: its own server, adapter and clients are in memory.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";

import Provider from "oidc-provider";

const { BENCH_CLIENT, BENCH_ISSUER, BENCH_KEY, BENCH_SECRET } = process.env;
const key = createPrivateKey(readFileSync(BENCH_KEY)).export({ format: "jwk" });

const provider = new Provider(BENCH_ISSUER, {
  clients: [
    {
      client_id: BENCH_CLIENT,
      client_secret: BENCH_SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:glassware",
      getResourceServerInfo: () => ({
        scope: "tasks:read",
        audience: "glassware",
        accessTokenTTL: 300,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  jwks: { keys: [{ ...key, alg: "ES256", kid: "1", use: "sig" }] },
  routes: { token: "/oauth/token" },
});

provider.listen(Number(process.argv[2]), "127.0.0.1");
