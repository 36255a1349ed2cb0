// GraphiQL: its scripts from their pinned versions, its example tabs, its headers.

import assert from 'node:assert/strict';
import { picture, site, test, visit } from './harness.mjs';

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
  await page.keyboard.insertText(`{"Authorization": "Bearer ${await site.token('admin')}"}`);
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window .CodeMirror-code', { hasText: 'song:' }).waitFor();
});

test('without its CDN GraphiQL says so', async () => {
  const { page } = await visit('/graphiql', { cdnAnswers: false });
  await page.getByRole('status').filter({ hasText: 'GraphiQL cannot be loaded from cdn.jsdelivr.net' }).waitFor();
  assert.match(await page.getByRole('status').innerText(), /POST \/graphql works with any GraphQL client/);
});
