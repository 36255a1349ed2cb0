// The search page: what a person sees, types and presses.

import assert from 'node:assert/strict';
import { answer, focusedTitle, phone, picture, production, searchFor, sends, settled, site, songs, status, stepWithin, test, titles, until, visit } from './harness.mjs';

const ingest = 'mutation Ingest($rows: [SongInput!]!) { ingestSongs(rows: $rows) { created updated rejected rows { id message } } }';

test('typed text brings songs with a percentage', async () => {
  const { page, complaints } = await visit();
  await page.getByRole('heading', { name: 'Find songs by how they sound.' }).waitFor();
  await page.locator('#catalogue', { hasText: /\d+ songs/ }).waitFor();
  await page.locator('#q').pressSequentially('upbeat rock music', { delay: 20 });
  await settled(page);
  assert.ok((await songs(page).count()) >= 5);
  assert.match(await songs(page).first().innerText(), /\d+\.\d%/);
  assert.match(await status(page).innerText(), /^The first 20 songs for “upbeat rock music”\.$/);
  assert.equal(new URL(page.url()).search, '?q=upbeat+rock+music');
  await picture(page, 'search-page');
  assert.deepEqual(complaints, []);
});

test('an example is a link to its search', async () => {
  const { page, complaints } = await visit();
  await picture(page, 'search-empty-light');
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
  const [liked] = await titles(page);
  await songs(page).first().getByRole('button', { name: /^Like/ }).click();
  await settled(page);
  const [, avoided] = await titles(page);
  await songs(page).nth(1).getByRole('button', { name: /^Avoid/ }).click();
  await settled(page);
  assert.ok(!(await titles(page)).includes(avoided), 'what you avoid is gone');
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

test('filters alone list songs by title', async () => {
  const { page, complaints } = await visit('/');
  await page.getByLabel('Genre').fill('jazz');
  await settled(page);
  await status(page).filter({ hasText: /songs, by title\.$/ }).waitFor();
  const [first, second] = await titles(page);
  assert.ok(first < second, `${first} before ${second}`);
  assert.equal(await page.locator('.match').count(), 0);
  await picture(page, 'search-browse-light');
  const shown = await songs(page).count();
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction((count) => document.querySelectorAll('#results article').length > count, shown);
  await songs(page).first().getByRole('button', { name: /^More like this/ }).click();
  await settled(page);
  assert.match(page.url(), /like=song:.*genre=jazz/);
  assert.ok((await songs(page).count()) > 0);
  assert.deepEqual(complaints, []);
});

test('a mood is a filter too', async () => {
  const { page, complaints } = await visit('/?q=piano');
  await songs(page).first().waitFor();
  const mood = await page.locator('[data-act=mood]').first().innerText();
  await page.locator('[data-act=mood]').first().click();
  await settled(page);
  assert.equal(await page.getByLabel('Mood').inputValue(), mood);
  const moods = await songs(page).evaluateAll((articles) => articles.map((article) => [...article.querySelectorAll('[data-act=mood]')].map((button) => button.textContent)));
  assert.ok(moods.length > 0);
  assert.ok(moods.every((list) => list.includes(mood)), JSON.stringify(moods));
  assert.deepEqual(complaints, []);
});

test('the words that were found are marked', async () => {
  const { page, complaints } = await visit('/?q=piano');
  await songs(page).first().waitFor();
  const marked = await page.locator('#results mark').allInnerTexts();
  assert.ok(marked.length > 0);
  assert.ok(marked.every((word) => /piano/i.test(word)), String(marked));
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
  await site.graphql(ingest, { rows: [{ externalId: 'markup', title, band: '<b>Bold</b>', genre: '<i>odd</i>' }] }, await site.token('admin'));
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
  await site.graphql(ingest, { rows: [{ externalId: 'hebrew', title, band: 'להקה' }, { externalId: 'japanese', title: '夜に駆ける', band: '例' }] }, await site.token('admin'));
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

test('a server that asks for a token gets one', async () => {
  const { page } = await visit();
  await page.locator('#catalogue', { hasText: /\d/ }).waitFor();
  await answer(page, 1, { status: 401, contentType: 'application/json', body: '{"errors":[{"message":"sign in first"}]}' });
  await searchFor(page, 'upbeat rock music');
  await page.getByText('This server asks for a token.').waitFor();
  await picture(page, 'search-token-light');
  await page.getByLabel('Token').fill(await site.token('admin'));
  const [sent] = await Promise.all([sends(page, 'Search'), page.getByRole('button', { name: 'Use token' }).click()]);
  assert.match(sent.headers().authorization, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  await songs(page).first().waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.getByRole('button', { name: 'Forget token' }).click();
  await settled(page);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('in production the page works with a token', async () => {
  const { page } = await visit('/?q=upbeat+rock+music', { server: production });
  await page.getByText('This server asks for a token.').waitFor();
  assert.equal(await songs(page).count(), 0);
  await page.getByLabel('Token').fill('a.wrong.token');
  await page.getByRole('button', { name: 'Use token' }).click();
  await page.getByText('The server did not accept the token.').waitFor();
  await page.getByLabel('Token').fill(await production.token('user'));
  await page.getByRole('button', { name: 'Use token' }).click();
  await songs(page).first().waitFor();
  await page.locator('#catalogue', { hasText: /\d+ songs/ }).waitFor();
});

test('a busy server is asked again when it said', async () => {
  const isAskedAgain = async (code) => {
    const { page } = await visit();
    await page.locator('#catalogue', { hasText: /\d/ }).waitFor();
    await answer(page, 1, { status: code, headers: { 'Retry-After': '2' }, body: '' });
    await page.locator('#q').fill('upbeat rock music');
    await page.getByText('Trying again in 2 s.').waitFor();
    await songs(page).first().waitFor();
    assert.ok(await page.locator('#trouble').isHidden());
  };
  await Promise.all([429, 503].map(isAskedAgain));
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
  await site.stop();
  await searchFor(page, 'slow piano');
  await page.getByRole('alert').filter({ hasText: 'The server cannot be reached.' }).waitFor();
  await picture(page, 'search-offline-light');
  await site.start();
  await songs(page).first().waitFor({ timeout: 30_000 });
  assert.ok(await page.locator('#trouble').isHidden());
  assert.match(await status(page).innerText(), /slow piano/);
});

test('nothing scrolls sideways on a phone', async () => {
  const { page, complaints } = await visit('/', phone);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0);
  await picture(page, 'search-empty-dark-phone');
  await page.goto(`${site.base}/?q=upbeat+rock+music`);
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
  const hasContrast = async (colorScheme) => {
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
  };
  await Promise.all(['light', 'dark'].map(hasContrast));
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

test('the search page stays small', async () => {
  let bytes = 0;
  for (const name of ['search.css', 'search.js', 'api.js', 'row.js', 'state.js']) {
    const response = await fetch(`${site.base}/assets/${name}`);
    assert.equal(response.status, 200, name);
    bytes += (await response.arrayBuffer()).byteLength;
  }
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});
