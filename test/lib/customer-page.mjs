// A customer's page on an origin of its own, with the unmodified browser SDK as it is published.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createRequire } from 'node:module';

// The package exports no path to its browser bundle, which customers load from a content network.
const bundle = createRequire(import.meta.url).resolve('@stytch/vanilla-js').replace(/dist\/.*/, 'dist/iife/index.js');

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A customer's page</title>
<input autocomplete="username webauthn" aria-label="User name">
<div id="login"></div>
<script src="/stytch.js"></script>
</html>`;

// Serves the page, whatever the path, on a free port: {port, origin, at(host), close()}. With tls ({cert, key}) it speaks https.
export async function serveCustomerPage(tls) {
  const script = await readFile(bundle);
  const answer = (request, response) => {
    if (request.url === '/stytch.js') return response.setHeader('content-type', 'text/javascript').end(script);
    return response.setHeader('content-type', 'text/html').end(html);
  };
  const server = tls ? createSecureServer(tls, answer) : createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    port,
    origin: `http://localhost:${port}`,
    at: (host) => `http://${host}:${port}`,
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}

// Opens the page and makes the SDK's client there as `client`, pointed at the server, which is {base_url, public_token}.
// httpOnly: the way to reach plain http in the mode where the server keeps the cookies (a custom base URL that
// cannot be parsed is ignored, but still tells the SDK that it may not see the session's cookie).
export async function openWithSDK(page, url, server, { httpOnly = false } = {}) {
  return openWithOptions(page, url, server, httpOnly ? { ...reaching(server), customBaseUrl: ' ' } : reaching(server));
}

// The same with the SDK's options as they are given.
export async function openWithOptions(page, url, server, options) {
  const calls = recordCalls(page, server.base_url);
  await page.goto(url);
  await startSDK(page, server, options);
  return calls;
}

// Makes the client on the customer's page where the browser is already, because a link led there.
export function startSDK(page, server, options = reaching(server)) {
  return page.evaluate(([token, given]) => {
    window.client = window.stytch.createStytchClient(token, given);
  }, [server.public_token, options]);
}

// The options that send every call of the SDK to the server.
function reaching({ base_url }) {
  const clientsideServicesIframeURL = `${base_url}/clientside-services/index.html`;
  return { endpoints: { testAPIURL: base_url, liveAPIURL: base_url, dfpBackendURL: base_url, clientsideServicesIframeURL } };
}

// Every answer of the browser's door on this page, as it came: [{method, path, status, type, body}].
// An answer is recorded some time after the page has it, so a test that looks for one waits: `settled(path, nth)`
// resolves with the nth recorded answer to a call whose path starts so, and fails when there is none in 15 seconds.
function recordCalls(page, base) {
  const calls = [];
  const waiting = new Set();
  page.removeAllListeners('response');
  page.on('response', async (response) => {
    if (!response.url().startsWith(base) || response.request().method() === 'OPTIONS') return;
    const body = await response.json().catch(() => ({}));
    calls.push({
      method: response.request().method(),
      path: response.url().slice(base.length),
      status: response.status(),
      type: body.error_type,
      body,
    });
    for (const look of waiting) look();
  });
  calls.settled = (path, nth = 1) => new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      waiting.delete(look);
      reject(new Error(`no answer ${nth} to ${path}; answered: ${calls.map((c) => `${c.path} ${c.status}`).join(', ')}`));
    }, 15_000);
    const look = () => {
      const call = calls.filter((c) => c.path.startsWith(path))[nth - 1];
      if (!call) return;
      clearTimeout(late);
      waiting.delete(look);
      resolve(call);
    };
    waiting.add(look);
    look();
  });
  return calls;
}

// Shows the pre-built login on the page, as its config says, and notes in window.told what it tells the page. Products are
// named as the SDK does: 'oauth'.
export function showLogin(page, { products, ...config }) {
  return page.evaluate(([products, config]) => {
    const { Products, StytchUI } = window.stytch;
    window.told = [];
    customElements.define('stytch-ui', StytchUI);
    const login = document.createElement('stytch-ui');
    login.render({
      client: window.client,
      config: { products: products.map((p) => Products[p]), sessionOptions: { sessionDurationMinutes: 60 }, ...config },
      callbacks: { onEvent: (e) => window.told.push(e.type), onError: (e) => window.told.push(e.error_type ?? e.message) },
    });
    document.querySelector('#login').append(login);
  }, [products, config]);
}

// What the pre-built login has told the page so far.
export const told = (page) => page.evaluate(() => window.told);

// Calls a method of the SDK on the page, such as 'webauthn.register', and returns its answer.
// A refusal comes back as an Error with the SDK's own name, error_type and status_code.
export async function sdk(page, method, ...args) {
  const result = await page.evaluate(async ([path, values]) => {
    const names = path.split('.');
    const last = names.pop();
    const owner = names.reduce((at, name) => at[name], window.client);
    try {
      return { value: await owner[last](...values) };
    } catch (e) {
      return { error: { name: e.name, message: e.message, error_type: e.error_type, status_code: e.status_code } };
    }
  }, [method, args]);
  if (result.error) throw Object.assign(new Error(result.error.message), result.error);
  return result.value;
}
