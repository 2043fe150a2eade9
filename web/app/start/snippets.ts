// The README's next steps, filled with the running project's own values.

export interface Values {
  base_url: string;
  project_id: string;
  secret: string;
  public_token: string;
}

export interface Snippet {
  id: string;
  label: string;
  lead: string;
  code(values: Values): string;
}

export const snippets: Snippet[] = [
  {
    id: "curl",
    label: "curl",
    lead: "Create a user from the terminal.",
    code: (v) => `curl ${v.base_url}/v1/users \\
  -u '${v.project_id}:${v.secret}' \\
  -H 'Content-Type: application/json' \\
  -d '{"email": "ada@example.com"}'`,
  },
  {
    id: "node",
    label: "Node",
    lead: "The official stytch package works as it is. Point it at this server with env.",
    code: (v) => `// npm install stytch
import stytch from "stytch";

const client = new stytch.Client({
  project_id: "${v.project_id}",
  secret: "${v.secret}",
  env: "${v.base_url}/",
});

const { user_id } = await client.users.create({ email: "grace@example.com" });
console.log(await client.users.get({ user_id }));`,
  },
  {
    id: "browser",
    label: "Browser",
    lead: "The official browser package speaks to this server once it knows where it is.",
    code: (v) => `// npm install @stytch/vanilla-js
import { createStytchClient } from "@stytch/vanilla-js/headless";

const stytch = createStytchClient("${v.public_token}", {
  endpoints: {
    testAPIURL: "${v.base_url}",
    liveAPIURL: "${v.base_url}",
    dfpBackendURL: "${v.base_url}",
    clientsideServicesIframeURL: "${v.base_url}/clientside-services/index.html",
  },
});

await stytch.webauthn.authenticate({ session_duration_minutes: 60 });`,
  },
];
