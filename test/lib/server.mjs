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

  // Resolves once the server listens. Given the folder of an earlier one, it finds everything again.
  static async start(data) {
    const server = new Server();
    server.data = data ?? (await mkdtemp(join(tmpdir(), 'gatehouse-test-')));
    await server.#spawn();
    return server;
  }

  async #spawn() {
    const file = join(this.data, 'dev.json');
    const before = await identity(file);
    const limit = AbortSignal.timeout(startLimit);
    // dev.json is renamed into place once the server listens, so its appearance is the signal.
    const appeared = new Promise((resolve, reject) => {
      const watcher = watch(this.data, { signal: limit });
      watcher.on('change', async (_, name) => {
        if (name === 'dev.json' && (await identity(file)) !== before) {
          watcher.close();
          resolve();
        }
      });
      watcher.on('error', reject);
      limit.addEventListener('abort', () => reject(new Error(`gatehouse dev wrote no dev.json:\n${this.#output}`)));
    });

    this.#child = spawn(binary, ['dev', '--listen', '127.0.0.1:0', '--data', this.data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#output += text));
    }
    const gone = this.exited.then(([code, signal]) => {
      throw new Error(`gatehouse dev ended at once (${signal ?? code}):\n${this.#output}`);
    });
    await Promise.race([appeared, gone]);
    gone.catch(() => {}); // from here on an exit is what stop() asks for
    Object.assign(this, JSON.parse(await readFile(file, 'utf8')));
  }

  // What the server has printed so far, for tests that look for what must not be in it.
  get output() {
    return this.#output;
  }

  // Ctrl-C: the server finishes what it is doing and exits with 0.
  async stop({ keepData = false } = {}) {
    this.#child.kill('SIGINT');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopLimit);
    const [code, signal] = await this.exited;
    clearTimeout(timer);
    if (!keepData) await rm(this.data, { recursive: true, force: true });
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `how it ended; it printed:\n${this.#output}`);
    assert.doesNotMatch(this.#output, /\bpanic\b|goroutine \d+ \[/, 'nothing panicked');
  }

  // Runs another gatehouse command on the same data folder and returns what it printed.
  async command(...args) {
    const { stdout } = await promisify(execFile)(binary, [...args, '--data', this.data]);
    return stdout;
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

// Tells one version of a file from another; '' when there is none.
async function identity(file) {
  const info = await stat(file, { bigint: true }).catch(() => null);
  return info ? `${info.ino}-${info.mtimeNs}` : '';
}
