// The built binary as a running process.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const binary = fileURLToPath(new URL('../.build/gatehouse', import.meta.url));
const startLimit = 30_000; // ms until it must be ready
const stopLimit = 20_000; // ms until it must have drained and gone

// Runs a command to its end and returns what it printed.
export async function command(args, env) {
  const { stdout } = await promisify(execFile)(binary, args, { env: { ...process.env, ...env } });
  return stdout;
}

// A gatehouse that serves. GATEHOUSE_TEST_OUTPUT=1 shows what it prints.
export class Program {
  output = '';
  #child;
  #exited;

  constructor(args, env) {
    this.#child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
      if (process.env.GATEHOUSE_TEST_OUTPUT) stream.pipe(process.stderr);
    }
  }

  // Resolves with the match once the pattern is in what it printed.
  printed(pattern) {
    return new Promise((resolve) => {
      const look = () => pattern.test(this.output) && resolve(this.output.match(pattern));
      for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on('data', look);
      look();
    });
  }

  // Waits for `signal`, a promise, which must come before the program ends or the time is up.
  async ready(signal) {
    const ended = this.#exited.then(() => Promise.reject(new Error('it ended')));
    const late = new Promise((_, reject) => setTimeout(reject, startLimit, new Error('it took too long')).unref());
    try {
      return await Promise.race([signal, ended, late]);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw new Error(`gatehouse did not start, ${error.message}; it printed:\n${this.output}`);
    } finally {
      ended.catch(() => {}); // from here on an exit is what end() asks for
    }
  }

  // Ctrl-C: it finishes what it is doing and exits with 0.
  async end() {
    this.#child.kill('SIGINT');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopLimit);
    const [code, signal] = await this.#exited;
    clearTimeout(timer);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `how it ended; it printed:\n${this.output}`);
    assert.doesNotMatch(this.output, /\bpanic\b|goroutine \d+ \[/, 'nothing panicked');
  }
}
