// Starts `gatehouse dev` as a developer would, and stops it the same way.
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { command, Program } from './program.mjs';

// One running `gatehouse dev`: its address, its credentials (as in dev.json), and its command line.
export class Server {
  #program;
  #env;

  // Resolves once the server listens. env are variables beside those of the test, such as GATEHOUSE_BREACH_SOURCE.
  static async start({ env } = {}) {
    const server = new Server();
    server.#env = env;
    server.data = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
    await server.#start('127.0.0.1:0').catch(async (error) => {
      await rm(server.data, { recursive: true, force: true });
      throw error;
    });
    return server;
  }

  // Stops the server and starts it again with the same data at the same address.
  async restart() {
    await this.#program.end();
    await this.#start(`127.0.0.1:${new URL(this.base_url).port}`);
  }

  async #start(listen) {
    const file = join(this.data, 'dev.json');
    const before = await identity(file);
    const { promise: listening, stop } = changed(this.data, async () => (await identity(file)) !== before);
    this.#program = new Program(['dev', '--listen', listen, '--data', this.data], this.#env);
    await this.#program.ready(listening).finally(stop);
    Object.assign(this, JSON.parse(await readFile(file, 'utf8')));
  }

  // Stops the server and removes its data.
  async stop() {
    await this.#program.end().finally(() => rm(this.data, { recursive: true, force: true }));
  }

  // What the server has printed so far, for tests that look for what must not be in it.
  get output() {
    return this.#program.output;
  }

  // Changes switches of the browser's door, such as 'webauthn.enabled=false', as an operator does meanwhile.
  configure(...switches) {
    return command(['sdk-config', 'set', 'test', ...switches, '--data', this.data]);
  }

  // Changes settings of the environment, such as 'user_lock.threshold=5', as an operator does meanwhile.
  set(...settings) {
    return command(['environment', 'set', 'test', ...settings, '--data', this.data]);
  }

  // What `gatehouse explain` says of a request.
  explain(request_id) {
    return command(['explain', request_id, '--data', this.data]);
  }

  // Lets links lead to the URL, in which {} stands for any value of a parameter, and waits until the server knows of it.
  async allowRedirect(url) {
    await command(['redirect-url', 'add', 'test', url, '--data', this.data]);
    const asked = url.replaceAll('{}', 'any');
    const probe = { email: 'nobody@example.com', login_magic_link_url: asked, signup_magic_link_url: asked };
    await eventually(async () => {
      const { body } = await this.call('POST', '/v1/magic_links/email/send', probe);
      if (body.error_type !== 'email_not_found') throw new Error(`${url} is not in force: ${body.error_message}`);
    });
  }

  // A plain call to the backend API with the project's secret: {status, headers, body}.
  async call(method, path, body) {
    const response = await fetch(this.base_url + path, {
      method,
      headers: {
        authorization: 'Basic ' + Buffer.from(`${this.project_id}:${this.secret}`).toString('base64'),
        'content-type': 'application/json',
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
}

// Repeats check until it no longer throws, for what reaches a running server within a second. Throws its last error.
export async function eventually(check, limit = 5000) {
  const end = Date.now() + limit;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Resolves once something in the folder changes so that seen() holds. dev.json is renamed into place when the server
// listens, so its appearance is the signal.
function changed(folder, seen) {
  const watcher = watch(folder);
  const promise = new Promise((resolve, reject) => {
    watcher.on('change', () => seen().then((yes) => yes && resolve(), reject)).on('error', reject);
  });
  return { promise, stop: () => watcher.close() };
}

// Tells one version of a file from another; '' when there is none.
async function identity(file) {
  const info = await stat(file, { bigint: true }).catch(() => null);
  return info ? `${info.ino}-${info.mtimeNs}` : '';
}
