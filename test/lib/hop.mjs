// A person at the page behind an e-mailed link, who takes a while to aim and to press.

// Makes the browser look like a person's on every page it opens: Playwright's admits that it is driven.
export function asPerson(context) {
  return context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false }));
}

// Moves to the button of the page and presses it with the mouse, as the page's own clock goes.
export async function pressContinue(page) {
  const button = page.getByRole('button', { name: 'Continue' });
  await button.waitFor();
  const { x, y, width, height } = await button.boundingBox();
  await page.evaluate(() => {
    window.ready = performance.now();
    addEventListener('pointerdown', () => (window.down = performance.now()), true);
  });
  const since = (name, ms) => page.waitForFunction(([name, ms]) => performance.now() - window[name] > ms, [name, ms]);
  await since('ready', 300);
  await page.mouse.move(10, 10);
  await page.mouse.move(x + width / 2, y + height / 2, { steps: 6 });
  await page.mouse.down();
  await since('down', 40);
  await page.mouse.up();
}
