// What the tests share: the servers, the browser, and words for what is on the search page.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Server } from './server.mjs';

export { until } from './server.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const cdn = 'https://cdn.jsdelivr.net/npm/';
export const pictures = process.env.SCREENSHOT_DIR;
export const stepWithin = 15_000;
export const phone = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true, colorScheme: 'dark' };

/** The server as it starts by itself, and as it runs in production. */
export const site = new Server();
export const production = new Server('--env', 'production', '--jwt-secret', 'a secret of the browser tests alone');

export const tests = [];
export const test = (name, body) => tests.push({ name, body });

let browser;
const open = [];

export async function launch() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

export const quit = () => browser?.close();

/** Closes the pages of a test; of one that failed, the last is kept as a picture. */
export async function closePages(failed) {
  const last = open.at(-1)?.pages()[0];
  if (failed && last) await picture(last, `failed-${failed.replace(/\W+/g, '-')}`).catch(() => {});
  for (const context of open.splice(0)) await context.close();
}

/** A page of its own, with what it complained about and the requests that it was refused. */
export async function visit(path = '/', { server = site, cdnAnswers = true, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', locale: 'en-US', ...options });
  context.setDefaultTimeout(stepWithin);
  const complaints = [];
  await context.route(/.*/, async (route) => {
    const url = new URL(route.request().url());
    if (['127.0.0.1', 'localhost'].includes(url.hostname) || ['data:', 'blob:'].includes(url.protocol)) return route.continue();
    if (cdnAnswers && url.href.startsWith(cdn)) return fromNodeModules(route, url);
    if (!url.href.startsWith(cdn)) complaints.push(`asked for ${url.href}`);
    return route.abort();
  });
  await context.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${message.text()} (${message.location().url})`));
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('websocket', (socket) => complaints.push(`opened ${socket.url()}`));
  await page.goto(server.base + path);
  open.push(context);
  return { page, complaints };
}

/** The file that the CDN would send: `react@18.3.1/umd/x.js` is `node_modules/react/umd/x.js` of that version. */
async function fromNodeModules(route, url) {
  const [, name, version, file] = /^\/npm\/((?:@[^/]+\/)?[^@/]+)@([^/]+)\/(.+)$/.exec(url.pathname);
  const folder = join(here, 'node_modules', name);
  assert.equal(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')).version, version, `version of ${name}`);
  await route.fulfill({
    body: await readFile(join(folder, file)),
    contentType: file.endsWith('.css') ? 'text/css' : 'text/javascript',
    headers: { 'access-control-allow-origin': '*' },
  });
}

export async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });
}

export const songs = (page) => page.locator('#results article');
export const titles = (page) => page.locator('#results h2').allTextContents();
export const status = (page) => page.locator('#status');
export const focusedTitle = (page) => page.evaluate(() => document.activeElement.closest('article')?.querySelector('h2').textContent ?? null);

export async function searchFor(page, text) {
  await page.locator('#q').fill(text);
  await settled(page);
}

/** Waits for the answer to what the page was last told. */
export async function settled(page) {
  await page.waitForTimeout(300);
  await page.waitForFunction(() => !document.querySelector('#results').hasAttribute('aria-busy'));
}

export const sends = (page, operation) => page.waitForRequest((request) => request.postData()?.includes(`"operationName":"${operation}"`) ?? false);

/** Answers the next GraphQL requests in the server's place, for states that it is rarely in. */
export const answer = (page, times, reply) => page.route('**/graphql', (route) => route.fulfill(reply), { times });
