// Programs out of the documentation, so that what people copy is what was tested.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

// The code block of a page that begins with a line such as "// mfa.mjs".
export async function block(page, first) {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const found = text.split('```').filter((part) => part.split('\n')[1]?.startsWith(first));
  assert.equal(found.length, 1, `${page} has one program that begins with ${first}`);
  return found[0].slice(found[0].indexOf('\n') + 1);
}

// The same as a module.
export const module = async (page, first) => import('data:text/javascript,' + encodeURIComponent(await block(page, first)));
