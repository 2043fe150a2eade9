// A real browser with a virtual authenticator, driven through the DevTools protocol.
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const executablePath = process.env.GATEHOUSE_TEST_BROWSER || '/usr/bin/chromium';

// Names that are no localhost but lead here all the same: origins that nobody authorised.
export const strangerHost = 'stranger.test';

// Starts the browser; it looks nothing up and calls nobody. names maps further hosts, as "host:port", to ports of this
// machine, and pin is the hash of a certificate's key to be trusted.
export function launch({ names = {}, pin } = {}) {
  const rules = [`MAP ${strangerHost} 127.0.0.1`];
  for (const [host, port] of Object.entries(names)) rules.push(`MAP ${host} 127.0.0.1:${port}`);
  return chromium.launch({
    executablePath,
    args: [
      '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
      `--host-resolver-rules=${rules.join(',')}`,
      ...(pin ? [`--ignore-certificate-errors-spki-list=${pin}`] : []),
    ],
  });
}

// A person at a browser of their own: cookies, storage and passkeys are theirs alone.
// `problems` collects what pages complained about, for tests to look at.
export async function newPerson(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  return { context, ...(await newTab(context)) };
}

// Another tab of the same person, with a passkey provider of its own unless told otherwise.
export async function newTab(context, { passkeys = true } = {}) {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  return { page, problems, passkeys: passkeys ? await Passkeys.attach(page) : null };
}

// The passkeys on one page's device.
export class Passkeys {
  // Puts a platform authenticator with user verification and discoverable credentials into the page.
  static async attach(page, options = {}) {
    const passkeys = new Passkeys();
    passkeys.cdp = await page.context().newCDPSession(page);
    await passkeys.cdp.send('WebAuthn.enable');
    await passkeys.add(options);
    return passkeys;
  }

  // Adds an authenticator; the newest is the one that the other methods speak of.
  async add(options = {}) {
    const { authenticatorId } = await this.cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        ...options,
      },
    });
    this.authenticatorId = authenticatorId;
  }

  // What the device holds: [{credentialId, rpId, userHandle, signCount, ...}], binary members in base64.
  async list() {
    const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.authenticatorId });
    return credentials;
  }

  // Puts a credential from another device's list onto this one.
  async put(credential) {
    await this.cdp.send('WebAuthn.addCredential', { authenticatorId: this.authenticatorId, credential });
  }

  // Takes the device away with everything on it.
  async remove() {
    await this.cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: this.authenticatorId });
  }

  // Whether the person proves who they are when asked; false is a finger that does not match.
  async verifies(isUserVerified) {
    await this.cdp.send('WebAuthn.setUserVerified', { authenticatorId: this.authenticatorId, isUserVerified });
  }

  // Whether the person answers prompts by themselves; while they do not, a prompt stays open.
  async answers(enabled) {
    await this.cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: this.authenticatorId, enabled });
  }
}

const shots = fileURLToPath(new URL('../screenshots/', import.meta.url));

// Keeps pictures of the page as it stands: narrow and wide, light and dark, named after `name`. Pages that draw
// only what is in view, and dialogs, are pictured as they fill the window.
export async function screenshots(page, name, { fullPage = true } = {}) {
  await mkdir(shots, { recursive: true });
  const size = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [label, width, height] of [['narrow', 360, 780], ['wide', 1280, 900]]) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${shots}${name}-${label}-${colorScheme}.png`, fullPage });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(size);
}
