// `/graphql` as a client sees it: the GraphQL over HTTP specification, and what production refuses.

import assert from 'node:assert/strict';
import { auditServer } from 'graphql-http';
import { production, site, test } from './harness.mjs';

/** Runs the audits of the specification; every one must pass, those that a server MAY meet included. */
async function audit(server, token) {
  const fetchFn = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, ...(token && { Authorization: `Bearer ${token}` }) } });
  const results = await auditServer({ url: `${server.base}/graphql`, fetchFn });
  const counts = {};
  for (const { name, status } of results) {
    const level = /^(MUST|SHOULD|MAY)/.exec(name)?.[0] ?? 'other';
    const count = (counts[level] ??= { ok: 0, of: 0 });
    count.of += 1;
    if (status === 'ok') count.ok += 1;
  }
  console.log(`        ${Object.entries(counts).map(([level, { ok, of }]) => `${level} ${ok}/${of}`).join(', ')}`);
  const failures = results.filter(({ status }) => status !== 'ok').map(({ id, name, reason }) => `${id} ${name}: ${reason}`);
  assert.deepEqual(failures, []);
  assert.deepEqual(Object.fromEntries(Object.entries(counts).map(([level, { of }]) => [level, of])), { MUST: 13, SHOULD: 23, MAY: 25 });
}

test('GraphQL over HTTP is met in development', () => audit(site));

// One audit asks for `__type`, which production keeps for administrators.
test('GraphQL over HTTP is met in production', async () => audit(production, await production.token('admin')));

/** An answer to a raw request, with its body as text and as JSON. */
async function ask(path, init = {}, token) {
  const headers = { ...init.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(production.base + path, { redirect: 'manual', ...init, headers });
  const text = await response.text();
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // A page, or nothing.
  }
  return { status: response.status, headers: response.headers, text, json };
}

const post = (body, token) => ask('/graphql', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }, token);
const query = (text, token) => post({ query: text }, token);

function refused({ status, json, text }, code, statuses) {
  assert.ok(statuses.includes(status), `status ${status}: ${text}`);
  assert.equal(json.errors[0].extensions.code, code, text);
  assert.ok(!('data' in json), text);
}

const users = [['nobody', () => undefined], ['a user', () => production.token('user')]];

for (const [who, tokenOf] of users) {
  test(`production shows its schema to ${who} neither whole nor in part`, async () => {
    const token = await tokenOf();
    for (const text of ['{ __schema { types { name } } }', '{ __type(name: "Query") { name } }', 'query cop { ...f } fragment f on Query { a: __schema { queryType { name } } }']) {
      refused(await query(text, token), 'FORBIDDEN', [403]);
    }
    for (const text of ['{ songz { nodes { id } } }', '{ songs { nodes { titel } } }', '{ songs(frist: 1) { nodes { id } } }', '{ songs(orderBy: { field: YAER }) { nodes { id } } }', '{ stats { __typenam } }']) {
      const { json, text: body } = await query(text, token);
      assert.ok(json.errors.length > 0, body);
      assert.doesNotMatch(body, /did you mean|\bsongs\b.*\bsongz\b|"title"|`title`|\bfirst\b|\bYEAR\b/i, `${text} is answered with a suggestion: ${body}`);
    }
    for (const path of ['/graphiql', '/playground', '/console', '/graphql']) {
      const page = await ask(path, { headers: { Accept: 'text/html' } }, token);
      assert.ok([404, 406].includes(page.status), `${path}: ${page.status}`);
      assert.doesNotMatch(page.text, /<html|graphiql|playground/i);
    }
  });
}

test('production links to no GraphiQL', async () => {
  assert.doesNotMatch((await ask('/')).text, /graphiql/i);
  assert.match(await (await fetch(`${site.base}/`)).text(), /href="\/graphiql"/);
});

test('production answers administrators about its schema', async () => {
  const { json } = await query('{ __schema { queryType { name } } }', await production.token('admin'));
  assert.equal(json.data.__schema.queryType.name, 'Query');
});

test('lists of requests are refused', async () => {
  const batch = Array.from({ length: 10 }, () => ({ query: 'query cop { __typename }' }));
  refused(await post(batch, await production.token('user')), 'BAD_REQUEST', [400]);
});

test('GET neither changes anything nor answers without a token', async () => {
  const admin = await production.token('admin');
  const get = (text, token) => ask(`/graphql?query=${encodeURIComponent(text)}`, { headers: { Accept: 'application/json' } }, token);
  refused(await get('query cop { __typename }'), 'UNAUTHENTICATED', [401]);
  refused(await get('mutation cop { __typename }'), 'UNAUTHENTICATED', [401]);
  const mutation = await get('mutation cop { __typename }', admin);
  refused(mutation, 'METHOD_NOT_ALLOWED', [405]);
  assert.equal(mutation.headers.get('allow'), 'POST');
  assert.deepEqual((await get('query cop { __typename }', admin)).json, { data: { __typename: 'Query' } });
  for (const method of ['PUT', 'DELETE', 'PATCH']) assert.equal((await ask('/graphql', { method }, admin)).status, 405, method);
});

test('only JSON is read, so that no form can send a request', async () => {
  const admin = await production.token('admin');
  const text = 'query cop { __typename }';
  const form = new FormData();
  form.append('operations', JSON.stringify({ query: text }));
  const bodies = {
    'application/x-www-form-urlencoded': new URLSearchParams({ query: text }).toString(),
    'text/plain': JSON.stringify({ query: text }),
    'application/graphql': text,
    'multipart/form-data': form,
  };
  for (const [type, body] of Object.entries(bodies)) {
    const headers = body === form ? {} : { 'Content-Type': type };
    refused(await ask('/graphql', { method: 'POST', headers, body }, admin), 'UNSUPPORTED_MEDIA_TYPE', [415]);
  }
});

test('queries that multiply work are refused before they run', async () => {
  const admin = await production.token('admin');
  const many = (count, part) => Array.from({ length: count }, (_, index) => part(index)).join(' ');
  const circular = (depth) => (depth ? `fields { type { ${circular(depth - 1)} } }` : 'name');
  const bomb = `query cop { ...f0 } ${many(24, (n) => `fragment f${n} on Query { ...f${n + 1} ...f${n + 1} }`)} fragment f24 on Query { __typename }`;
  const hostile = {
    aliases: `query cop { ${many(101, (n) => `alias${n}: __typename`)} }`,
    'aliases below': `query cop { stats { ${many(101, (n) => `alias${n}: kinds { kind }`)} } }`,
    'repeated fields': `query cop { ${many(500, () => '__typename')} }`,
    directives: `query cop { __typename ${many(100, () => '@aa')} }`,
    'circular introspection': `query cop { __schema { types { ${circular(4)} } } }`,
    fragments: bomb,
    nesting: `query cop { songs(where: ${'{ not: '.repeat(1_600)}${'}'.repeat(1_600)}) { nodes { id } } }`,
    'nested similar': `query cop { songs(first: 100) { nodes { ${'similar(first: 100) { nodes { ... on Song { '.repeat(4)} id ${'} } } '.repeat(4)} } } }`,
  };
  for (const [name, text] of Object.entries(hostile)) {
    const started = Date.now();
    const { status, json, text: body } = await query(text, admin);
    assert.equal(status, 400, `${name}: ${body}`);
    assert.match(json.errors[0].extensions.code, /^QUERY_TOO_(COMPLEX|DEEP|LARGE)$/, name);
    assert.ok(!('data' in json), name);
    assert.ok(Date.now() - started < 2_000, `${name} took ${Date.now() - started} ms`);
  }
  const errors = (await query(`query cop { stats { kinds ${many(40, () => '@aa')} { kind } } }`, admin)).json.errors.length;
  assert.ok(errors <= 10, `${errors} errors`);
});

test('answers carry neither traces nor the inside of the server', async () => {
  for (const text of ['{ qwerty { abc } }', '{ stats { kinds { kind } } }', '{ node(id: "song:x") { id } }', '{ songs(first: -1) { nodes { id } } }', '{']) {
    const { text: body, headers } = await query(text, await production.token('user'));
    assert.doesNotMatch(body, /"tracing"|"exception"|stacktrace|\.rs:\d|panicked|sqlx|SELECT /i, body);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('server'), null);
  }
});
