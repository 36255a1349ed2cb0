// The search page and GraphiQL in a real browser, against the real binary.
//
//   KINDRED_BIN=target/release/kindred node run.mjs          (after `npm ci` in this folder)
//
// KINDRED_BIN     the binary; it is started on a fresh data folder, which loads the demo catalogue
// CHROMIUM        the browser, /usr/bin/chromium unless set
// SCREENSHOT_DIR  a folder for pictures of the pages, none unless set
// ONLY            runs the tests whose name contains it
//
// Nothing but loopback is reachable: GraphiQL's CDN is answered from node_modules, the rest is refused.
// Prints `N passed, N failed`; exits with 1 when a test fails.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('.', import.meta.url));
const binary = process.env.KINDRED_BIN;
const pictures = process.env.SCREENSHOT_DIR;
const startWithin = 120_000;
const stepWithin = 15_000;
const cdn = 'https://cdn.jsdelivr.net/npm/';
const phone = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true, colorScheme: 'dark' };

let dataDir;
let server;
let base;

async function startServer(port) {
  const child = spawn(binary, ['serve', '--data-dir', dataDir, '--port', String(port)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const address = new Promise((resolve, reject) => {
    const read = (chunk) => {
      log = (log + chunk).slice(-20_000);
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(log);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
  });
  server = child;
  base = await within(startWithin, address, () => `the server printed no address:\n${log}`);
  await until(startWithin, async () => (await fetch(`${base}/health/ready`)).ok, () => `${base}/health/ready is not ready:\n${log}`);
}

async function stopServer() {
  if (!server || server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const killer = setTimeout(() => server.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(killer);
}

async function adminToken() {
  const { stdout } = await promisify(execFile)(binary, ['token', '--role', 'admin', '--data-dir', dataDir], { timeout: 60_000 });
  const token = /[\w-]{8,}\.[\w-]{8,}\.[\w-]+/.exec(stdout)?.[0];
  assert.ok(token, `no token in: ${stdout}`);
  return token;
}

async function graphql(query, variables = {}, token) {
  const response = await fetch(`${base}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const body = await response.json();
  assert.equal(body.errors, undefined, JSON.stringify(body.errors));
  return body.data;
}

const ingest = 'mutation($songs: [SongInput!]!) { ingestSongs(songs: $songs) { rows { id } } }';

async function within(ms, promise, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message())), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function until(ms, holds, message) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await Promise.resolve().then(holds).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(message());
}

let browser;
const open = [];

/** A page of its own, with what it complained about and the requests that it was refused. */
async function visit(path = '/', { cdnAnswers = true, ...options } = {}) {
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
  await page.goto(base + path);
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

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });
}

const songs = (page) => page.locator('#results article');
const titles = (page) => page.locator('#results h2').allTextContents();
const status = (page) => page.locator('#status');

async function searchFor(page, text) {
  await page.locator('#q').fill(text);
  await settled(page);
}

/** Waits for the answer to what the page was last told. */
async function settled(page) {
  await page.waitForTimeout(300);
  await page.waitForFunction(() => !document.querySelector('#results').hasAttribute('aria-busy'));
}

const sends = (page, operation) => page.waitForRequest((request) => request.postData()?.includes(`"operationName":"${operation}"`) ?? false);

const focusedTitle = (page) => page.evaluate(() => document.activeElement.closest('article')?.querySelector('h2').textContent ?? null);

const tests = [];
const test = (name, body) => tests.push({ name, body });

test('typed text brings songs with a percentage', async () => {
  const { page, complaints } = await visit();
  await page.getByRole('heading', { name: 'Find songs by how they sound.' }).waitFor();
  await page.locator('#catalogue', { hasText: /\d+ songs/ }).waitFor();
  await picture(page, 'search-empty-light');
  await page.locator('#q').pressSequentially('upbeat rock music', { delay: 20 });
  await settled(page);
  assert.ok((await songs(page).count()) >= 5);
  assert.match(await songs(page).first().innerText(), /\d+\.\d%/);
  assert.match(await status(page).innerText(), /songs for “upbeat rock music”/);
  assert.equal(new URL(page.url()).search, '?q=upbeat+rock+music');
  await picture(page, 'search-light-desktop');
  assert.deepEqual(complaints, []);
});

test('an example is a link to its search', async () => {
  const { page, complaints } = await visit();
  await page.getByRole('link', { name: 'late-night jazz' }).click();
  await settled(page);
  assert.ok((await songs(page).count()) > 0);
  await page.goBack();
  await page.getByRole('heading', { name: 'Find songs by how they sound.' }).waitFor();
  assert.equal(await songs(page).count(), 0);
  assert.deepEqual(complaints, []);
});

test('only the last of several requests is shown', async () => {
  const { page } = await visit();
  let held;
  await page.route('**/graphql', async (route) => {
    if (route.request().postData().includes('"piano"')) await new Promise((resolve) => (held = resolve));
    await route.continue().catch(() => {});
  });
  await page.locator('#q').fill('piano');
  await until(stepWithin, () => Boolean(held), () => 'the first request was not sent');
  await searchFor(page, 'upbeat rock music');
  const expected = await titles(page);
  held();
  await page.waitForTimeout(300);
  assert.deepEqual(await titles(page), expected);
  assert.match(await status(page).innerText(), /upbeat rock music/);
});

test('meaning only asks for recommendations', async () => {
  const { page, complaints } = await visit('/?q=upbeat+rock+music');
  await settled(page);
  await Promise.all([sends(page, 'Recommend'), page.getByLabel('Meaning only').check()]);
  await settled(page);
  assert.ok((await songs(page).count()) > 0);
  assert.match(page.url(), /by=sound/);
  assert.deepEqual(complaints, []);
});

test('more like this, then Back', async () => {
  const { page, complaints } = await visit('/?q=upbeat+rock+music');
  await songs(page).first().waitFor();
  const before = await titles(page);
  await songs(page).nth(1).getByRole('button', { name: /^More like this/ }).click();
  await settled(page);
  assert.ok((await songs(page).count()) > 0);
  assert.ok(!(await titles(page)).slice(0, 1).includes(before[1]), 'a song is not its own neighbor');
  assert.match(await page.locator('#pick-list').innerText(), new RegExp(before[1].slice(0, 8).replace(/\W/g, '.')));
  await page.goBack();
  await settled(page);
  assert.deepEqual(await titles(page), before);
  assert.equal(await page.locator('#q').inputValue(), 'upbeat rock music');
  assert.deepEqual(complaints, []);
});

test('likes and avoids steer, and survive a reload', async () => {
  const { page, complaints } = await visit('/?q=upbeat+rock+music');
  await songs(page).first().waitFor();
  const [liked, avoided] = await titles(page);
  await songs(page).nth(0).getByRole('button', { name: /^Like/ }).click();
  await page.getByRole('button', { name: `Avoid ${avoided}`, exact: true }).first().click();
  await settled(page);
  assert.equal(await page.locator('.pick').count(), 2);
  assert.match(await status(page).innerText(), /for “upbeat rock music” and what you like, away from what you avoid/);
  await picture(page, 'search-picks-light');
  await page.reload();
  await settled(page);
  assert.ok((await songs(page).count()) > 0);
  await page.locator('.pick.like', { hasText: liked }).waitFor();
  await page.locator('.pick.avoid', { hasText: avoided }).waitFor();
  await page.locator('#pick-clear').click();
  await settled(page);
  assert.equal(await page.locator('.pick').count(), 0);
  assert.deepEqual(complaints, []);
});

test('filters narrow the list', async () => {
  const { page, complaints } = await visit('/?q=love');
  await songs(page).first().waitFor();
  const genre = await page.locator('[data-act=genre]').first().getAttribute('title').then((label) => label.replace('Only ', ''));
  await page.locator('#genre').fill(genre);
  await settled(page);
  const labels = await page.locator('[data-act=genre]').evaluateAll((buttons) => buttons.map((button) => button.title));
  assert.ok(labels.length > 0);
  assert.deepEqual([...new Set(labels)], [`Only ${genre}`]);
  await page.getByLabel('Tempo in beats per minute, from').fill('100');
  await page.getByLabel('Tempo in beats per minute, to').fill('130');
  await settled(page);
  const tempos = (await page.locator('.facts').allInnerTexts()).map((text) => Number(/(\d+) bpm/.exec(text)?.[1]));
  assert.ok(tempos.every((tempo) => tempo >= 100 && tempo <= 130), String(tempos));
  await page.getByLabel('Energy in percent, from').fill('30');
  await page.getByLabel('Mode').selectOption('major');
  await page.getByLabel('Year, from').fill('1950');
  await settled(page);
  assert.ok((await page.locator('.facts').allInnerTexts()).every((text) => text.includes('major')));
  assert.match(page.url(), /genre=.*mode=major.*year=1950-&tempo=100-130&energy=30-/);
  assert.match(await page.locator('#filter-count').innerText(), /5 set/);
  await page.getByLabel('Year, to').fill('1900');
  await status(page).filter({ hasText: 'No year lies between 1950 and 1900.' }).waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await settled(page);
  assert.doesNotMatch(page.url(), /genre|tempo|mode/);
  assert.deepEqual(complaints, []);
});

test('every key of the list is a key the server knows', async () => {
  const { page, complaints } = await visit('/?q=music');
  await settled(page);
  for (const key of ['C#', 'A']) {
    await page.getByLabel('Key', { exact: true }).selectOption(key);
    await settled(page);
    assert.ok(await page.locator('#trouble').isHidden());
    const facts = await page.locator('.facts').allInnerTexts();
    assert.ok(facts.every((text) => text.includes(`${key.replace('#', '♯')} `)), facts.join('\n'));
  }
  assert.deepEqual(complaints, []);
});

test('more songs come by cursor, none twice', async () => {
  const { page, complaints } = await visit('/?q=music');
  await songs(page).first().waitFor();
  const first = await songs(page).count();
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction((count) => document.querySelectorAll('#results article').length > count, first);
  const ids = await songs(page).evaluateAll((articles) => articles.map((article) => article.dataset.id));
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(complaints, []);
});

test('the keyboard alone is enough', async () => {
  const { page, complaints } = await visit();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('/');
  await page.keyboard.type('upbeat rock music');
  await settled(page);
  const before = await titles(page);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focusedTitle(page), before[0]);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focusedTitle(page), before[1]);
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, 'solid', 'the focus is visible');
  await picture(page, 'search-keyboard-light');
  await page.keyboard.press('l');
  await settled(page);
  assert.equal(await page.locator('.pick.like').count(), 1);
  assert.notEqual(await focusedTitle(page), null, 'the focus stays in the list');
  await page.keyboard.press('Enter');
  await settled(page);
  assert.equal(await page.locator('.pick.like').count(), 1);
  assert.notEqual(await focusedTitle(page), null);
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
  await page.keyboard.type('jazz');
  await settled(page);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#q').inputValue(), '');
  assert.deepEqual(complaints, []);
});

test('a screen reader finds names, roles and news', async () => {
  const { page } = await visit('/?q=upbeat+rock+music');
  await songs(page).first().waitFor();
  for (const role of ['search', 'main', 'banner', 'contentinfo']) assert.equal(await page.getByRole(role).count(), 1, role);
  assert.equal(await page.getByRole('list', { name: 'Songs' }).getByRole('listitem').count(), await songs(page).count());
  assert.equal(await page.getByRole('status').count(), 1);
  const unnamed = await page.locator('button:visible, input:visible, select:visible, a:visible').evaluateAll((controls) =>
    controls.filter((control) => !(control.getAttribute('aria-label') || control.labels?.length || control.textContent.trim())).map((control) => control.outerHTML));
  assert.deepEqual(unnamed, []);
});

test('markup in a title stays text', async () => {
  const title = '<script>window.broken = 1</script><img src=x onerror="window.broken = 1"> waltz of markup';
  await graphql(ingest, { songs: [{ externalId: 'markup', title, band: '<b>Bold</b>', genre: '<i>odd</i>' }] }, await adminToken());
  const { page, complaints } = await visit('/');
  await until(60_000, async () => {
    await searchFor(page, '');
    await searchFor(page, 'waltz of markup');
    return (await titles(page)).includes(title);
  }, () => 'the new song is not found');
  assert.equal(await page.evaluate(() => window.broken), undefined);
  assert.equal(await page.locator('#results script, #results img, #results b:not(.match b), #results i').count(), 0);
  assert.deepEqual(complaints, []);
});

test('titles in other scripts keep their direction', async () => {
  const title = 'שיר של בוקר';
  await graphql(ingest, { songs: [{ externalId: 'hebrew', title, band: 'להקה' }, { externalId: 'japanese', title: '夜に駆ける', band: '例' }] }, await adminToken());
  const { page, complaints } = await visit();
  await until(60_000, async () => {
    await searchFor(page, '');
    await searchFor(page, title);
    return (await titles(page)).includes(title);
  }, () => 'the new song is not found');
  assert.equal(await page.locator('#results h2', { hasText: title }).evaluate((heading) => getComputedStyle(heading).direction), 'rtl');
  assert.deepEqual(complaints, []);
});

test('nothing found is said', async () => {
  const { page, complaints } = await visit('/?q=music&year=1-2');
  await status(page).filter({ hasText: 'No song matches. Try fewer filters.' }).waitFor();
  assert.deepEqual(complaints, []);
});

/** Answers the next GraphQL requests in the server's place, for states that it is rarely in. */
const answer = (page, times, reply) => page.route('**/graphql', (route) => route.fulfill(reply), { times });

test('a server that asks for a token gets one', async () => {
  const { page } = await visit();
  await page.locator('#catalogue', { hasText: /\d/ }).waitFor();
  await answer(page, 1, { status: 401, contentType: 'application/json', body: '{"errors":[{"message":"sign in first"}]}' });
  await searchFor(page, 'upbeat rock music');
  await page.getByText('This server asks for a token.').waitFor();
  await picture(page, 'search-token-light');
  await page.getByLabel('Token').fill(await adminToken());
  const [sent] = await Promise.all([sends(page, 'Search'), page.getByRole('button', { name: 'Use token' }).click()]);
  assert.match(sent.headers().authorization, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  await songs(page).first().waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.getByRole('button', { name: 'Forget token' }).click();
  await settled(page);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('a busy server is asked again when it said', async () => {
  for (const code of [429, 503]) {
    const { page } = await visit();
    await page.locator('#catalogue', { hasText: /\d/ }).waitFor();
    await answer(page, 1, { status: code, headers: { 'Retry-After': '2' }, body: '' });
    await page.locator('#q').fill('upbeat rock music');
    await page.getByText('Trying again in 2 s.').waitFor();
    await songs(page).first().waitFor();
    assert.ok(await page.locator('#trouble').isHidden());
  }
});

test('an error of GraphQL is shown as text', async () => {
  const { page } = await visit();
  await page.locator('#catalogue', { hasText: /\d/ }).waitFor();
  const message = '`query` must not hold <b>this</b>';
  await answer(page, 1, { status: 200, contentType: 'application/json', body: JSON.stringify({ data: null, errors: [{ message }] }) });
  await searchFor(page, 'upbeat');
  assert.equal(await page.getByRole('alert').innerText(), message);
  await page.getByRole('button', { name: 'Try again' }).click();
  await songs(page).first().waitFor();
});

test('a stopped server is said, and found again', async () => {
  const { page } = await visit('/?q=upbeat+rock+music');
  await songs(page).first().waitFor();
  const { port } = new URL(base);
  await stopServer();
  await searchFor(page, 'slow piano');
  await page.getByRole('alert').filter({ hasText: 'The server cannot be reached.' }).waitFor();
  await picture(page, 'search-offline-light');
  await startServer(port);
  await songs(page).first().waitFor({ timeout: 30_000 });
  assert.ok(await page.locator('#trouble').isHidden());
  assert.match(await status(page).innerText(), /slow piano/);
});

test('nothing scrolls sideways on a phone', async () => {
  const { page, complaints } = await visit('/', phone);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0);
  await picture(page, 'search-empty-dark-phone');
  await page.goto(`${base}/?q=upbeat+rock+music`);
  await songs(page).first().waitFor();
  assert.ok((await overflow()) <= 0);
  await picture(page, 'search-dark-phone');
  await songs(page).first().getByRole('button', { name: /^Like/ }).tap();
  await settled(page);
  assert.ok((await overflow()) <= 0);
  await page.locator('#filters summary').tap();
  assert.ok((await overflow()) <= 0);
  await picture(page, 'search-filters-dark-phone');
  const small = await page.locator('article button.like, article button.kin').evaluateAll((buttons) => buttons.filter((button) => button.getBoundingClientRect().height < 44).length);
  assert.equal(small, 0, 'targets are 44 pixels high');
  assert.deepEqual(complaints, []);
});

test('dark mode is dark, and text has contrast in both', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page } = await visit('/?q=upbeat+rock+music', { colorScheme });
    await songs(page).first().waitFor();
    if (colorScheme === 'dark') await picture(page, 'search-dark-desktop');
    const ratios = await page.evaluate(() => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\d.]+/g).map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const back = light(getComputedStyle(document.body).backgroundColor);
      return ['article h2', '.by-line', '.facts', '.facts button', '#status', 'footer'].map((name) => {
        const front = light(getComputedStyle(document.querySelector(name)).color);
        return [name, (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)];
      });
    });
    for (const [name, ratio] of ratios) assert.ok(ratio >= 4.5, `${colorScheme} ${name} ${ratio.toFixed(2)}`);
  }
});

test('nothing moves for those who asked for less motion', async () => {
  const { page } = await visit('/?q=upbeat+rock+music', { reducedMotion: 'reduce' });
  await songs(page).first().waitFor();
  const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((node) => {
    const style = getComputedStyle(node);
    return style.animationName !== 'none' || style.transitionDuration !== '0s';
  }).length);
  assert.equal(moving, 0);
});

test('GraphiQL runs its first query and shows the documentation', async () => {
  const { page, complaints } = await visit('/graphiql');
  await page.locator('.graphiql-execute-button').waitFor();
  await page.locator('.graphiql-query-editor .CodeMirror', { hasText: 'upbeat rock music' }).waitFor();
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window .CodeMirror-code', { hasText: 'similarityPercent' }).waitFor();
  await picture(page, 'graphiql');
  await page.getByRole('button', { name: /Documentation Explorer/ }).click();
  const docs = page.locator('.graphiql-doc-explorer');
  await docs.getByRole('link', { name: 'Query', exact: true }).click();
  await docs.getByText('recommend', { exact: true }).first().waitFor();
  await docs.getByText('hybridSearch', { exact: true }).first().waitFor();
  await picture(page, 'graphiql-docs');
  assert.deepEqual(complaints, []);
});

test('every example of GraphiQL is valid, and the queries answer', async () => {
  const { page, complaints } = await visit('/graphiql');
  await page.locator('.graphiql-execute-button').waitFor();
  const tabs = page.locator('.graphiql-tab button.graphiql-tab-button');
  const count = await tabs.count();
  assert.equal(count, 8);
  for (let index = 0; index < count; index++) {
    await tabs.nth(index).click();
    // GraphiQL takes a moment to see which operation the tab holds.
    await page.waitForTimeout(400);
    const name = await tabs.nth(index).innerText();
    // The last one writes: with no token it must be refused, and not for its shape.
    const [answered] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith('/graphql') && !response.request().postData().includes('IntrospectionQuery')),
      page.locator('.graphiql-execute-button').click(),
    ]);
    const body = await answered.json();
    if (index < count - 1) assert.equal(body.errors, undefined, `${name}: ${JSON.stringify(body.errors)}`);
    else assert.match(body.errors?.[0]?.extensions?.code ?? '', /^(UNAUTHENTICATED|FORBIDDEN)$/, `${name}: ${JSON.stringify(body)}`);
  }
  assert.deepEqual(complaints.filter((complaint) => !/status of 40[13]/.test(complaint)), []);
});

test('GraphiQL sends the header of its editor', async () => {
  const { page } = await visit('/graphiql');
  await page.locator('.graphiql-execute-button').waitFor();
  await page.locator('.graphiql-tab button.graphiql-tab-button').last().click();
  await page.getByRole('button', { name: 'Headers' }).click();
  await page.locator('.graphiql-editor-tool .CodeMirror:visible').click();
  await page.keyboard.insertText(`{"Authorization": "Bearer ${await adminToken()}"}`);
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window .CodeMirror-code', { hasText: 'song:' }).waitFor();
});

test('without its CDN GraphiQL says so', async () => {
  const { page } = await visit('/graphiql', { cdnAnswers: false });
  await page.getByRole('status').filter({ hasText: 'GraphiQL cannot be loaded from cdn.jsdelivr.net' }).waitFor();
  assert.match(await page.getByRole('status').innerText(), /POST \/graphql works with any GraphQL client/);
});

test('the search page stays small', async () => {
  let bytes = 0;
  for (const path of ['/', '/assets/search.js', '/assets/search.css', '/favicon.svg']) bytes += (await (await fetch(base + path)).arrayBuffer()).byteLength;
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});

if (!binary) {
  console.error('KINDRED_BIN is not set\nhint: KINDRED_BIN=../../target/release/kindred node run.mjs');
  process.exit(2);
}
let passed = 0;
let failed = 0;
try {
  if (pictures) await mkdir(pictures, { recursive: true });
  dataDir = await mkdtemp(join(tmpdir(), 'kindred-browser-'));
  await startServer(0);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  for (const { name, body } of tests.filter(({ name }) => name.includes(process.env.ONLY ?? ''))) {
    const started = Date.now();
    try {
      await within(120_000, body(), () => 'took longer than 120 s');
      passed += 1;
      console.log(`ok      ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
      const page = open.at(-1)?.pages()[0];
      if (page) await picture(page, `failed-${name.replace(/\W+/g, '-')}`).catch(() => {});
      if (server.exitCode !== null) await startServer(new URL(base).port).catch(() => {});
    }
    for (const context of open.splice(0)) await context.close();
  }
} catch (error) {
  failed += 1;
  console.log(`FAILED  ${error.stack ?? error}`);
} finally {
  await browser?.close();
  await stopServer();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
