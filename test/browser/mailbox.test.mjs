// The mailbox of `gatehouse dev` as a developer uses it: mail appears by itself, as it looks, with what one came for.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson, screenshots } from '../lib/browser.mjs';
import { newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

describe('the mailbox', () => {
  let server, browser, person, page;
  before(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    assert.equal((await server.call('DELETE', '/v1/mailbox/messages')).status, 200);
    person = await newPerson(browser, { baseURL: server.base_url, permissions: ['clipboard-read', 'clipboard-write'] });
    page = person.page;
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  const says = (text, on = page) => on.getByText(text).first().waitFor();
  const rows = () => page.getByRole('option');
  const selected = () => page.locator('[role=option][aria-selected=true]');
  const button = (name) => page.getByRole('button', { name });

  // Sends a login link and returns the message as the API has it, once it is there.
  async function mailTo(email) {
    const sent = await server.call('POST', '/v1/magic_links/email/login_or_create', { email });
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
    return eventually(async () => {
      const { body } = await server.call('GET', `/v1/mailbox/messages?limit=1&to=${encodeURIComponent(email)}`);
      assert.equal(body.messages.length, 1);
      return body.messages[0];
    });
  }

  // No page scrolls sideways, however narrow.
  const fits = async () => {
    const size = page.viewportSize();
    for (const width of [320, 899, 900]) {
      await page.setViewportSize({ width, height: 640 });
      const [content, window] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `${content} px of content in ${window} px`);
    }
    await page.setViewportSize(size);
  };

  test('an empty one says how to get the first message', async () => {
    await page.goto('/');
    await page.getByRole('main').getByRole('link', { name: 'Mailbox' }).click();
    await says('No messages yet');
    await button('Copy the curl command').click();
    await says('Copied.');
    const command = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(command.includes(`${server.project_id}:${server.secret}`), 'what is copied works');
    assert.ok(!(await page.locator('main').innerText()).includes(server.secret), 'the secret is not shown');
    await fits();
    await screenshots(page, 'mailbox-empty');
  });

  test('a mail appears by itself, is announced, and its link opens', async () => {
    await page.goto('/mailbox');
    await says('No messages yet');
    const email = newEmail();
    const mail = await mailTo(email);
    await rows().first().waitFor();
    assert.equal(await rows().count(), 1);
    await page.locator('#spoken', { hasText: `New e-mail to ${email}: ${mail.subject}` }).waitFor();

    await page.getByRole('heading', { name: mail.subject }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Open the link' }).getAttribute('href'), mail.link);
    await button('Copy the link').click();
    await says('Copied.');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), mail.link);

    const inMail = page.frameLocator('iframe').locator(`a[href="${mail.link}"]`).first();
    await inMail.waitFor();
    await fits();
    await screenshots(page, 'mailbox-mail');
    const [opened] = await Promise.all([page.waitForEvent('popup'), inMail.click()]);
    await opened.waitForLoadState();
    assert.equal(opened.url().split('?')[0], mail.link.split('?')[0], 'beside the mailbox, which stays');
    assert.equal(await opened.evaluate(() => window.origin), server.base_url, 'and outside of its sandbox');
    await opened.close();

    await page.getByRole('tab', { name: 'Text' }).click();
    await says(mail.text.trim().split('\n')[0]);
    await page.getByRole('tab', { name: 'Details' }).click();
    await says(mail.type);
    const time = page.locator('time').first();
    assert.match(await time.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  });

  test('a mail can do nothing to the page around it', async () => {
    await mailTo(newEmail());
    await page.goto('/mailbox');
    const frame = await (await page.locator('iframe').elementHandle()).contentFrame();
    await frame.waitForLoadState();
    assert.equal(await frame.evaluate(() => window.origin), 'null', 'it has no origin');
    const response = await page.request.get(frame.url());
    assert.match(response.headers()['content-security-policy'], /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
    const elsewhere = await page.request.get(frame.url(), { headers: { 'Sec-Fetch-Site': 'cross-site' } });
    assert.equal(elsewhere.status(), 403, 'another site cannot show it');
  });

  test('by keyboard, wide and narrow', async () => {
    const emails = [newEmail(), newEmail(), newEmail()];
    for (const email of emails) await mailTo(email);
    await page.goto('/mailbox');
    await rows().nth(2).waitFor();
    await selected().focus();
    const shows = async (n) => {
      assert.match(await selected().innerText(), new RegExp(emails[n]));
      await says(`To ${emails[n]}`, page.locator('.mailbox-message'));
      assert.ok(await selected().evaluate((row) => row === document.activeElement), 'the focus moved along');
    };
    await shows(2);
    for (const [key, n] of [['ArrowDown', 1], ['ArrowDown', 0], ['ArrowDown', 0], ['ArrowUp', 1], ['Home', 2], ['End', 0]]) {
      await page.keyboard.press(key);
      await shows(n);
    }
    await page.reload();
    await rows().nth(2).waitFor();
    assert.match(await selected().innerText(), new RegExp(emails[0]), 'the address remembers which message it was');

    await page.setViewportSize({ width: 360, height: 780 });
    await selected().focus();
    await screenshots(page, 'mailbox-list');
    await selected().focus();
    await page.keyboard.press('Enter');
    await says(`To ${emails[0]}`, page.locator('.mailbox-message'));
    assert.equal(await page.evaluate(() => document.activeElement.id), 'message-title');
    assert.ok(!(await rows().first().isVisible()), 'the message takes the place of the list');
    await screenshots(page, 'mailbox-reading');
    await button('All messages').focus();
    await page.keyboard.press('Enter');
    await rows().first().waitFor();
    assert.match(await page.evaluate(() => document.activeElement.textContent), new RegExp(emails[0]));
  });

  test('filter by recipient, and delete what is shown and nothing else', async () => {
    const [ada, grace] = [newEmail(), newEmail()];
    await mailTo(ada);
    await page.goto('/mailbox');
    await rows().first().waitFor();
    await mailTo(grace);
    await rows().nth(1).waitFor();
    await says('New');
    assert.match(await selected().innerText(), new RegExp(ada), 'news takes nobody away from what they read');

    await page.getByLabel('Filter by recipient').fill(grace.toUpperCase());
    await page.locator('#spoken', { hasText: /^1 message\.$/ }).waitFor();
    assert.equal(await rows().count(), 1);
    await button('Delete these (1)').click();
    await page.getByRole('heading', { name: `Delete 1 message to ${grace}?` }).waitFor();
    await screenshots(page, 'mailbox-delete', { fullPage: false });
    await button('Cancel').click();
    assert.equal(await rows().count(), 1);
    await button('Delete these (1)').click();
    await button('Delete 1 message').click();
    await page.locator('#spoken', { hasText: '1 message was deleted.' }).waitFor();
    assert.match(await rows().first().innerText(), new RegExp(ada));
    const { body } = await server.call('GET', '/v1/mailbox/messages');
    assert.deepEqual(body.messages.map((message) => message.to), [ada]);

    await button('Delete all (1)').click();
    await button('Delete 1 message').click();
    await says('No messages yet');
  });

  test('it goes on by itself when the server comes back', async () => {
    await page.goto('/mailbox');
    await says('No messages yet');
    await server.restart();
    const email = newEmail();
    await mailTo(email);
    await says(email);
    await page.locator('#problem:empty').waitFor({ state: 'attached' });
  });
});
