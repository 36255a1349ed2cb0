// The search page and GraphiQL in a real browser, and `/graphql` as a client sees it, against the real binary.
//
//   KINDRED_BIN=target/debug/kindred node tests/browser/run.mjs     (after `npm ci` in this folder)
//
// KINDRED_BIN     the binary; it is started twice on fresh data folders, which loads the demo catalogue:
//                 as it starts by itself, and for production
// CHROMIUM        the browser, /usr/bin/chromium unless set
// SCREENSHOT_DIR  a folder for pictures of the pages, none unless set
// ONLY            runs the tests whose name contains it
//
// The picture of the README is made by: ONLY='typed text' SCREENSHOT_DIR=assets node tests/browser/run.mjs
//
// Nothing but loopback is reachable: GraphiQL's CDN is answered from node_modules, the rest is refused.
// Prints `N passed, N failed`; exits with 1 when a test fails.

import { mkdir } from 'node:fs/promises';
import { closePages, launch, pictures, production, quit, site, tests } from './harness.mjs';
import { binary, within } from './server.mjs';
import './search.mjs';
import './graphiql.mjs';
import './http.mjs';

const testWithin = 120_000;

if (!binary) {
  console.error('KINDRED_BIN is not set\nhint: KINDRED_BIN=target/debug/kindred node tests/browser/run.mjs');
  process.exit(2);
}

let passed = 0;
let failed = 0;

async function run({ name, body }) {
  const started = Date.now();
  try {
    await within(testWithin, body(), () => `took longer than ${testWithin / 1000} s`);
    passed += 1;
    console.log(`ok      ${name} (${Date.now() - started} ms)`);
    await closePages();
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
    await closePages(name);
    if (!site.isRunning) await site.start().catch(() => {});
  }
}

try {
  if (pictures) await mkdir(pictures, { recursive: true });
  await Promise.all([site.start(), production.start(), launch()]);
  for (const test of tests.filter(({ name }) => name.includes(process.env.ONLY ?? ''))) await run(test);
} catch (error) {
  failed += 1;
  console.log(`FAILED  ${error.stack ?? error}`);
} finally {
  await quit();
  await Promise.all([site.remove(), production.remove()]);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
