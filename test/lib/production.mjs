// `gatehouse serve` as an operator sets it up: TLS, a live environment, names of its own, all made on the command line.
import { execFile } from 'node:child_process';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import stytch from 'stytch';
import { Agent, buildConnector } from 'undici';

import { command, Program } from './program.mjs';

// The names people would see. Both lead to this machine: see launch() and client().
export const apiHost = 'auth.example.test';
export const appHost = 'app.example.test';

export class Production {
  #program;
  #folder;
  #env;

  // A server with one project, whose live environment lets pages of https://app.example.test use passkeys.
  static async start() {
    const production = new Production();
    await production.#prepare();
    return production;
  }

  async #prepare() {
    this.#folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
    this.#env = {
      GATEHOUSE_DATABASE_URL: `sqlite:${join(this.#folder, 'gatehouse.db')}`,
      GATEHOUSE_MASTER_KEY: randomBytes(32).toString('base64'),
    };
    await this.#makeCertificate();
    await this.run('migrate');
    const { environments } = JSON.parse(await this.run('project', 'create', 'Example', '--json'));
    const live = environments.find((e) => e.environment === 'live');
    const { secret } = JSON.parse(await this.run('secret', 'create', 'live', '--json'));
    Object.assign(this, { project_id: live.project_id, public_token: live.public_token, secret });
    await this.run('domain', 'add', 'live', `https://${appHost}`);
    await this.run('sdk-config', 'set', 'live', 'basic.enabled=true', 'webauthn.enabled=true',
      'webauthn.create_webauthns=true', 'cookies.domain=example.test');

    this.#program = new Program(['serve', '--listen', '127.0.0.1:0', '--public-url', `https://${apiHost}`,
      '--tls-cert', join(this.#folder, 'cert.pem'), '--tls-key', join(this.#folder, 'key.pem')], this.#env);
    const [, port] = await this.#program.ready(this.#program.printed(/"listening","address":"127\.0\.0\.1:(\d+)"/));
    this.port = Number(port);
  }

  // Go brings a tool that makes certificates; nothing else here has to.
  async #makeCertificate() {
    const run = promisify(execFile);
    const { stdout: goroot } = await run('go', ['env', 'GOROOT']);
    await run('go', ['run', join(goroot.trim(), 'src/crypto/tls/generate_cert.go'),
      '--host', `${apiHost},${appHost}`, '--ecdsa-curve', 'P256'], { cwd: this.#folder });
    this.tls = { cert: await readFile(join(this.#folder, 'cert.pem')), key: await readFile(join(this.#folder, 'key.pem')) };
    const spki = new X509Certificate(this.tls.cert).publicKey.export({ type: 'spki', format: 'der' });
    this.pin = createHash('sha256').update(spki).digest('base64'); // what the browser is told to trust
  }

  // Runs another gatehouse command on the same database and returns what it printed.
  run(...args) {
    return command(args, this.#env);
  }

  // The official client with its public options for an address of one's own.
  client() {
    const connect = buildConnector({ ca: this.tls.cert });
    const dispatcher = new Agent({
      connect: (to, done) => connect({ ...to, servername: to.hostname, hostname: '127.0.0.1', port: this.port }, done),
    });
    const { project_id, secret } = this;
    return new stytch.Client({ project_id, secret, custom_base_url: `https://${apiHost}`, dispatcher });
  }

  async stop() {
    await this.#program?.end().finally(() => rm(this.#folder, { recursive: true, force: true }));
  }
}
