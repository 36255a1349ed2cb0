// GraphiQL from a CDN. Every file is pinned and checked against its hash, so the CDN cannot change it.

const cdn = 'https://cdn.jsdelivr.net/npm/';
const patience = 20_000;
const style = ['graphiql@4.1.2/dist/style.css', 'sha384-1el1QShFBnnXTx9x/Cprg82hZWKt0ry29OAYIXt05swbi0KcZDFoj0CWguMpopJr'];
const scripts = [
  ['react@18.3.1/umd/react.production.min.js', 'sha384-DGyLxAyjq0f9SPpVevD6IgztCFlnMF6oW/XQGmfe+IsZ8TqEiDrcHkMLKI6fiB/Z'],
  ['react-dom@18.3.1/umd/react-dom.production.min.js', 'sha384-gTGxhz21lVGYNMcdJOyq01Edg0jhn/c22nsx0kyqP0TxaV5WVdsSH1fSDUf5YJj1'],
  ['graphiql@4.1.2/dist/index.umd.js', 'sha384-9XdHu7ajgGJziD4J1zNBKQ842Q/+zZfDv+ib1eMhZWBH6hPAs806x+Jbcf0yNO6B'],
];

const examples = [
  `# Songs that sound like a text, best first.
# Ctrl+Enter runs it, Cmd+Enter on a Mac.
# The book on the left holds the documentation.
query RecommendByText {
  recommend(query: "upbeat rock music", first: 5) {
    edges {
      similarityPercent
      node { id title ... on Song { band genre year tempo } }
    }
    info { space strategy tookMs }
  }
}
`,
  `# Songs like one, unlike another, within bounds.
# Take the ids from the first tab and put them under Variables.
query RecommendByExamples($like: [Example!], $avoid: [Example!]) {
  recommend(
    query: "guitar"
    like: $like
    avoid: $avoid
    where: { song: { year: { gte: 1970 }, tempo: { gte: 90, lte: 140 }, energy: { gte: 0.4 } } }
    diversity: 0.3
    first: 5
  ) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { similarityPercent node { id title ... on Song { band genre year tempo energy } } }
  }
}
`,
  `# Words and meaning together: finds titles and names, and what only means the same.
query HybridSearch {
  hybridSearch(query: "love in the summer", kinds: [SONG], first: 5) {
    edges { score similarityPercent textScore highlights node { id kind title } }
    info { strategy complete degraded }
  }
}
`,
  `# Neighbors of one song. Put its id under Variables.
query Similar($id: ID!) {
  similar(id: $id, first: 5) {
    edges { similarityPercent node { id title ... on Song { band genre } } }
  }
}
`,
  `# A plain list with a filter and an order.
query Songs {
  songs(where: { song: { genre: { eq: "rock" } } }, orderBy: { field: YEAR, direction: DESC }, first: 10) {
    totalCount
    edges { node { id title band genre year } }
  }
}
`,
  `# One thing by its id: null when it is not there.
query Node($id: ID!) {
  node(id: $id) {
    id
    ... on Song { title band album similar(first: 3) { edges { similarityPercent node { title } } } }
  }
}
`,
  `# What the catalogue holds, and which models embed it.
query Stats {
  stats { kinds { kind rows embedded } }
  embeddingSpaces { name model dimensions state }
}
`,
  `# Adds songs, or brings them up to date by externalId. Needs an admin token under Headers:
# {"Authorization": "Bearer <token>"}, where <token> is what \`kindred token --role admin\` prints.
mutation IngestSongs {
  ingestSongs(
    mode: UPSERT
    rows: [{ externalId: "my-1", title: "Harbor Lights", band: "The Example", genre: "rock", year: 1998 }]
  ) {
    created
    updated
    unchanged
    rejected
    rows { status id field message }
  }
}
`,
];

function load(tag, [path, integrity]) {
  return new Promise((resolve, reject) => {
    const node = Object.assign(document.createElement(tag), { integrity, crossOrigin: 'anonymous', onload: resolve, onerror: reject });
    if (tag === 'link') Object.assign(node, { rel: 'stylesheet', href: cdn + path });
    else Object.assign(node, { src: cdn + path, async: false });
    document.head.append(node);
    setTimeout(reject, patience);
  });
}

/** The id of some song, so that the examples that need one run as they are. */
async function someIds() {
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: '{ recommend(query: "upbeat rock music", first: 2) { edges { node { id } } } }' }),
    });
    const { data } = await response.json();
    return data.recommend.edges.map(({ node }) => node.id);
  } catch {
    return [];
  }
}

function start([first = 'song:', second = first]) {
  const { React, ReactDOM, GraphiQL } = window;
  const variables = { 1: { like: [{ id: first, weight: 1 }], avoid: [{ id: second, weight: 0.5 }] }, 3: { id: first }, 5: { id: first } };
  ReactDOM.createRoot(document.getElementById('graphiql')).render(
    React.createElement(GraphiQL, {
      fetcher: GraphiQL.createFetcher({ url: '/graphql' }),
      defaultTabs: examples.map((query, index) => ({ query, ...(variables[index] && { variables: JSON.stringify(variables[index], null, 2) }) })),
      defaultEditorToolsVisibility: true,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
    }),
  );
}

const state = document.getElementById('state');
const notice = document.getElementById('notice');
document.getElementById('hide').onclick = () => (notice.hidden = true);
try {
  const [ids] = await Promise.all([someIds(), load('link', style), ...scripts.map((script) => load('script', script))]);
  state.hidden = true;
  notice.hidden = false;
  start(ids);
} catch {
  state.textContent = `GraphiQL cannot be loaded from ${new URL(cdn).host}; check the connection and reload. POST /graphql works with any GraphQL client.`;
}
