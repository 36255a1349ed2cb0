// One GraphQL request: the documents, and what went wrong in words for the person at the page.

export const pageSize = 20;
const answerWithin = 20_000;
const storedAs = 'kindred.token';

const song = 'fragment Facts on Song { id title band album genre subgenre year tempo key mode energy durationMs moods description }';
const hits = `fragment Hits on HitConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  info { complete degraded }
  edges { similarityPercent highlights node { ...Facts } }
}
${song}`;
const documents = {
  Search: `query Search($query: String!, $where: ContentFilter, $after: String) {
  hits: hybridSearch(query: $query, kinds: [SONG], where: $where, first: ${pageSize}, after: $after) { ...Hits }
}
${hits}`,
  Recommend: `query Recommend($query: String, $like: [Example!], $avoid: [Example!], $where: ContentFilter, $after: String) {
  hits: recommend(query: $query, like: $like, avoid: $avoid, kind: SONG, where: $where, first: ${pageSize}, after: $after) { ...Hits }
}
${hits}`,
  Songs: `query Songs($where: ContentFilter, $after: String) {
  hits: songs(where: $where, orderBy: { field: TITLE }, first: ${pageSize}, after: $after) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { node { ...Facts } }
  }
}
${song}`,
  Names: 'query Names($ids: [ID!]!) { nodes(ids: $ids) { id ... on Song { title band } } }',
  Catalogue: 'query Catalogue { stats { kinds { kind rows embedded } } }',
};

/** The token lives as long as the tab. */
export const token = {
  get: () => sessionStorage.getItem(storedAs),
  set: (value) => sessionStorage.setItem(storedAs, value),
  forget: () => sessionStorage.removeItem(storedAs),
};

/** Something to tell; `about` says what may be done: `wait`, `token`, `offline`, `code`. */
export class Trouble extends Error {
  constructor(message, about = {}) {
    super(message);
    Object.assign(this, about);
  }
}

export async function graphql(operation, variables, signal) {
  const limit = AbortSignal.timeout(answerWithin);
  try {
    const response = await send(operation, variables, AbortSignal.any([signal, limit].filter(Boolean)));
    return data(response, await response.text());
  } catch (error) {
    if (signal?.aborted || error instanceof Trouble) throw error;
    if (limit.aborted) throw new Trouble(`The server did not answer within ${answerWithin / 1000} seconds.`, { offline: true });
    throw new Trouble('The server cannot be reached.', { offline: true });
  }
}

function send(operation, variables, signal) {
  const bearer = token.get();
  return fetch('/graphql', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json;q=0.9',
      ...(bearer && { Authorization: `Bearer ${bearer}` }),
    },
    body: JSON.stringify({ query: documents[operation], variables, operationName: operation }),
    signal,
  });
}

function data(response, text) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not GraphQL; the status below says enough.
  }
  const first = body?.errors?.[0];
  const code = first?.extensions?.code;
  if (response.status === 429 || response.status === 503) {
    throw new Trouble(response.status === 429 ? 'That was too many searches at once.' : 'The server is busy.', { wait: retryAfter(response) });
  }
  if (response.status === 401 || code === 'UNAUTHENTICATED') {
    const reason = token.get() ? 'The server did not accept the token.' : 'This server asks for a token.';
    throw new Trouble(`${reason} Paste one here; it is kept until you close the tab.`, { token: true });
  }
  if (first && !body.data?.hits) throw new Trouble(String(first.message), { code });
  if (!body?.data) throw new Trouble(`The server answered with status ${response.status}, and not with GraphQL.`);
  return body.data;
}

function retryAfter(response) {
  const seconds = Number(response.headers.get('Retry-After'));
  return seconds >= 1 ? Math.min(Math.ceil(seconds), 120) : 5;
}
