// An e-mailed link as the world treats it: scanners visit it in every way they have, and none of them reaches the
// app with its token; then the person it was for opens it, and it works.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson, screenshots } from '../lib/browser.mjs';
import { newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const app = 'localhost:3000'; // where the links of a new test environment lead

describe('the page behind an e-mailed link', () => {
  let server, customer, browser, arrivals, link, agents;
  before(async () => {
    customer = createServer((request, response) => {
      if (request.url.startsWith('/authenticate')) arrivals.push(request.url);
      response.setHeader('content-type', 'text/html');
      response.end('<link rel="icon" href="data:,"><title>Acme</title><h1>Welcome to Acme</h1>');
    });
    await new Promise((resolve) => customer.listen(0, '127.0.0.1', resolve));
    [server, browser] = await Promise.all([Server.start(), launch({ names: { [app]: customer.address().port } })]);
    agents = await userAgents();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    customer?.close();
  });
  beforeEach(async () => {
    arrivals = [];
    link = await mailedLink();
  });

  // A fresh link, as it stands in the mail.
  async function mailedLink() {
    const email = newEmail();
    const sent = await server.call('POST', '/v1/magic_links/email/login_or_create', { email });
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
    return linkTo(email);
  }

  function linkTo(email) {
    return eventually(async () => {
      const { body } = await server.call('GET', `/v1/mailbox/messages?to=${encodeURIComponent(email)}`);
      assert.equal(body.messages.length, 1);
      return body.messages[0].link;
    });
  }

  // Playwright's browser admits that it is driven; a person's does not.
  async function open({ person = false, ...options } = {}) {
    const opened = await newPerson(browser, options);
    if (person) await opened.context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false }));
    await opened.page.goto(link);
    await opened.page.getByRole('heading', { name: /^Continue/ }).waitFor();
    return opened;
  }

  const button = (page) => page.getByRole('button', { name: 'Continue' });
  const field = (page) => page.getByLabel(/^To go on, type the number \d\d$/);

  // The question is there and has the focus, and nobody has reached the app.
  async function asked(page) {
    await field(page).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'answer', 'the question has the focus');
    assert.deepEqual(arrivals, []);
    assert.ok(page.url().startsWith(server.base_url));
  }

  // The person has arrived, with the token of the link and with nothing that says where it came from.
  async function arrived(page) {
    await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor();
    assert.equal(arrivals.length, 1, 'the app was reached once');
    const there = new URL(arrivals[0], `http://${app}`);
    assert.equal(there.searchParams.get('stytch_token_type'), 'magic_links');
    assert.equal(there.searchParams.get('token'), new URL(link).searchParams.get('token'));
    assert.equal(await page.evaluate(() => document.referrer), '');
  }

  // People take a while to aim and to press. These wait until the page's own clock says that it has passed.
  const since = (page, name, ms) => page.waitForFunction(([name, ms]) => performance.now() - window[name] > ms, [name, ms]);
  async function aim(page) {
    await page.evaluate(() => {
      window.ready = performance.now();
      addEventListener('pointerdown', () => (window.down = performance.now()), true);
      addEventListener('keydown', () => (window.down = performance.now()), true);
    });
    await since(page, 'ready', 300);
  }

  async function press(page) {
    const box = await button(page).boundingBox();
    await aim(page);
    await page.mouse.move(10, 10);
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 6 });
    await page.mouse.down();
    await since(page, 'down', 40);
    await page.mouse.up();
  }

  test('a crowd of scanners, then the person', async () => {
    for (const agent of agents) {
      for (const method of ['HEAD', 'GET']) {
        const visits = Array.from({ length: 10 }, () => fetch(link, { method, redirect: 'manual', headers: { 'user-agent': agent } }));
        for (const answer of await Promise.all(visits)) {
          assert.equal(answer.status, 200);
          assert.equal(answer.headers.get('cache-control'), 'no-store');
          assert.ok(!(await answer.text()).includes(new URL(link).searchParams.get('token')));
        }
      }
    }
    const prefetch = await fetch(link, { redirect: 'manual', headers: { 'sec-purpose': 'prefetch;prerender' } });
    assert.equal(prefetch.status, 200);
    const posted = await fetch(link, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ answer: '' }) });
    assert.equal(posted.status, 422);

    const looks = await open({ person: true }); // runs scripts, clicks nothing
    await looks.page.waitForLoadState('networkidle');
    assert.equal(await field(looks.page).isVisible(), false, 'the button alone');
    assert.deepEqual(arrivals, []);
    await looks.context.close();

    const { context, page, problems } = await open({ person: true });
    await press(page);
    await arrived(page);
    assert.deepEqual(problems, []);
    await context.close();
  });

  const scanners = {
    'element.click()': (page) => page.evaluate(() => document.querySelector('button').click()),
    'form.requestSubmit()': (page) => page.evaluate(() => document.forms[0].requestSubmit()),
    'form.submit()': async (page) => {
      await page.evaluate(() => document.forms[0].submit());
      await page.getByText('Type the number to go on.').waitFor();
    },
    'events made by a script': (page) =>
      page.evaluate(() => {
        const to = document.querySelector('button');
        for (const type of ['pointermove', 'pointerdown', 'pointerup', 'click']) {
          to.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true, pointerType: 'mouse', clientX: 9 }));
        }
      }),
    'a DevTools click without a movement': async (page) => {
      const { x, y } = await button(page).boundingBox();
      const at = { x: x + 9, y: y + 9, button: 'left', clickCount: 1 };
      const cdp = await page.context().newCDPSession(page);
      await aim(page);
      await cdp.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...at });
      await since(page, 'down', 40);
      await cdp.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...at });
    },
    'a DevTools click that jumps to the button': (page) => button(page).click(),
  };
  for (const [name, act] of Object.entries(scanners)) {
    test(`${name} is asked, and the answer goes on`, async () => {
      const { context, page } = await open({ person: true });
      await act(page);
      await asked(page);
      await page.keyboard.type((await page.locator('label').innerText()).match(/\d\d/)[0]);
      await button(page).click();
      await arrived(page);
      await context.close();
    });
  }

  test('a browser that says it is driven is asked, whatever it does', async () => {
    const { context, page } = await open();
    await press(page);
    await asked(page);
    await context.close();
  });

  test('a wrong answer is told at the field', async () => {
    const { context, page } = await open();
    await screenshots(page, 'hop', { fullPage: false });
    await button(page).click();
    await asked(page);
    await screenshots(page, 'hop-question', { fullPage: false });
    await button(page).click();
    await page.getByText('Type the number to go on.').waitFor();
    await page.keyboard.type('00');
    await page.keyboard.press('Enter');
    await page.getByText(/^That is not the number\./).waitFor();
    await asked(page);
    await screenshots(page, 'hop-wrong', { fullPage: false });
    await context.close();
  });

  test('by keyboard alone', async () => {
    for (const key of ['Enter', ' ']) {
      arrivals = [];
      const { context, page } = await open({ person: true });
      await aim(page);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'continue', 'the button is the first stop');
      await page.keyboard.down(key);
      await since(page, 'down', 60);
      await page.keyboard.up(key);
      await arrived(page);
      await context.close();
    }
  });

  test('with a finger', async () => {
    const { context, page } = await open({ person: true, hasTouch: true });
    const { x, y } = await button(page).boundingBox();
    const cdp = await context.newCDPSession(page);
    await aim(page);
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: x + 9, y: y + 9 }] });
    await since(page, 'down', 40);
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await arrived(page);
    await context.close();
  });

  test('the browser that asked for the link goes on at once, another one does not', async () => {
    const { context, page } = await newPerson(browser);
    await page.goto(server.base_url);
    const email = newEmail();
    const status = await page.evaluate(async ([email, token]) => {
      const answer = await fetch('/sdk/v1/magic_links/email/login_or_create', {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${token}:${token}`)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ email }),
      });
      return answer.status;
    }, [email, server.public_token]);
    assert.equal(status, 200);
    link = await linkTo(email);

    const other = await open();
    assert.deepEqual(arrivals, []);
    await other.context.close();
    await page.goto(link);
    await arrived(page);
    await context.close();
  });

  test('without scripts', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await field(page).fill((await page.locator('label').innerText()).match(/\d\d/)[0]);
    await button(page).click();
    await page.getByRole('heading', { name: 'Welcome to Acme' }).waitFor();
    assert.equal(arrivals.length, 1);
    await context.close();
  });

  test('a link that leads nowhere says so', async () => {
    const { context, page } = await newPerson(browser);
    const answer = await page.goto(link.replace(/([?&]token=)[^&]+/, '$1bm9ib2R5IGhhcyB0aGlzIHRva2VuIGF0IGFsbCBoZXJl'));
    assert.equal(answer.status(), 410);
    await page.getByRole('heading', { name: 'This link has expired or was already used' }).waitFor();
    await screenshots(page, 'hop-expired', { fullPage: false });
    assert.deepEqual(arrivals, []);
    await context.close();
  });
});

// What scanners call themselves, by the shared list where it is present.
async function userAgents() {
  const list = new URL('../../../shared/vectors/email-link-scanners.json', import.meta.url);
  const text = await readFile(list, 'utf8').catch(() => '{"user_agent_samples":["","MSOffice 16","proofpoint"]}');
  return JSON.parse(text).user_agent_samples;
}
