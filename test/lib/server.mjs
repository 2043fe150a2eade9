// Starts the built binary as a user would, and stops it the same way.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const binary = fileURLToPath(new URL('../.build/gatehouse', import.meta.url));
const startLimit = 30_000; // ms until a server must listen
const stopLimit = 20_000; // ms until it must have drained and gone

// One running `gatehouse dev`: its address, its credentials, and its command line.
export class Server {
  #child;
  #output = '';

  // Resolves once the server listens.
  static async start() {
    const server = new Server();
    server.data = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
    await server.#spawn('127.0.0.1:0');
    return server;
  }

  // Stops the server and starts it again with the same data at the same address.
  async restart() {
    await this.#end();
    await this.#spawn(`127.0.0.1:${new URL(this.base_url).port}`);
  }

  async #spawn(listen) {
    const file = join(this.data, 'dev.json');
    const before = await identity(file);
    const { promise: listening, stop } = renamed(this.data, async () => (await identity(file)) !== before);
    this.#child = spawn(binary, ['dev', '--listen', listen, '--data', this.data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#output += text));
      if (process.env.GATEHOUSE_TEST_OUTPUT) stream.pipe(process.stderr);
    }
    const ended = this.exited.then(() => Promise.reject(new Error('it ended')));
    const late = new Promise((_, reject) => setTimeout(reject, startLimit, new Error('it took too long')).unref());
    try {
      await Promise.race([listening, ended, late]);
    } catch (error) {
      this.#child.kill('SIGKILL');
      await rm(this.data, { recursive: true, force: true });
      throw new Error(`gatehouse dev did not start, ${error.message}; it printed:\n${this.#output}`);
    } finally {
      stop();
      ended.catch(() => {}); // from here on an exit is what stop() asks for
    }
    Object.assign(this, JSON.parse(await readFile(file, 'utf8')));
  }

  // What the server has printed so far, for tests that look for what must not be in it.
  get output() {
    return this.#output;
  }

  // Stops the server and removes its data.
  async stop() {
    await this.#end().finally(() => rm(this.data, { recursive: true, force: true }));
  }

  // Ctrl-C: the server finishes what it is doing and exits with 0.
  async #end() {
    this.#child.kill('SIGINT');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopLimit);
    const [code, signal] = await this.exited;
    clearTimeout(timer);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `how it ended; it printed:\n${this.#output}`);
    assert.doesNotMatch(this.#output, /\bpanic\b|goroutine \d+ \[/, 'nothing panicked');
  }

  // Runs another gatehouse command on the same data folder and returns what it printed.
  async command(...args) {
    const { stdout } = await promisify(execFile)(binary, [...args, '--data', this.data]);
    return stdout;
  }

  // Changes switches of the browser's door, such as 'webauthn.enabled=false', as an operator does meanwhile.
  configure(...switches) {
    return this.command('sdk-config', 'set', 'test', ...switches);
  }

  // A plain call to the backend API with the project's secret: {status, headers, body}.
  async call(method, path, body, { user = this.project_id, password = this.secret, headers = {} } = {}) {
    const response = await fetch(this.base_url + path, {
      method,
      headers: {
        authorization: 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64'),
        'content-type': 'application/json',
        ...headers,
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
function renamed(folder, seen) {
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
