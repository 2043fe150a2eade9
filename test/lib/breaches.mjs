// The range API of a service that knows breached passwords, on this machine: it answers as Have I Been Pwned does.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

const sha1 = (text) => createHash('sha1').update(text).digest('hex').toUpperCase();

// Starts the service, which knows the passwords: {env, asked, answers(on), close()}. env has a server look up there, and
// asked is what reached the service: [{method, url, headers, body}]. While it does not answer, it is down.
export async function serveBreaches(...passwords) {
  const known = passwords.map(sha1);
  const asked = [];
  let up = true;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    const [, prefix] = request.url.match(/^\/range\/([0-9A-F]{5})$/) ?? [];
    if (!up || !prefix) return response.writeHead(up ? 400 : 503).end();
    // No range of the real service is empty; rows that count nothing are padding.
    const rows = known.filter((hash) => hash.startsWith(prefix)).map((hash) => `${hash.slice(5)}:3`);
    response.setHeader('content-type', 'text/plain').end([...rows, `${'0'.repeat(35)}:0`].join('\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    env: { GATEHOUSE_BREACH_SOURCE: 'api', GATEHOUSE_BREACH_URL: `http://127.0.0.1:${server.address().port}` },
    asked,
    answers: (on) => { up = on; },
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}

// What may be asked for of a password: five hexadecimal digits.
export const rangeOf = (password) => `/range/${sha1(password).slice(0, 5)}`;
